//! What happens in one checkout: which service of which cluster calls which, and how long it takes.

use std::time::Duration;

use fastrand::Rng;

/// A cluster of the example federation and the region it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cluster {
    pub(super) name: &'static str,
    pub(super) region: &'static str,
}

pub(super) const EU_A: Cluster = Cluster { name: "eu-west-a", region: "eu-west" };
pub(super) const EU_B: Cluster = Cluster { name: "eu-west-b", region: "eu-west" };
pub(super) const UK_A: Cluster = Cluster { name: "uk-south-a", region: "uk-south" };
pub(super) const US_A: Cluster = Cluster { name: "us-east-a", region: "us-east" };

/// How a trace ended; what a tail sampler would tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Fast and without an error.
    Usual,
    /// Over half a second.
    Slow,
    /// The payment was declined.
    Failed,
    /// A probe: collectors drop it.
    HealthCheck,
}

/// Kinds of span as OTLP numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
}

/// Where a span is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Site {
    pub(super) cluster: Cluster,
    pub(super) service: &'static str,
}

/// When a span runs, from the start of its trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    pub(super) start: Duration,
    pub(super) length: Duration,
}

/// What a span is about, which decides its name, kind and attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Request { method: &'static str, route: &'static str },
    Call { route: &'static str },
    Query { table: &'static str },
    Work,
}

/// One span before it has ids.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    /// Position of the parent in the plan.
    pub(super) parent: Option<usize>,
    pub(super) site: Site,
    pub(super) what: What,
    pub(super) when: When,
    pub(super) failed: bool,
}

/// Where the four services of one checkout run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) frontend: Cluster,
    checkout: Cluster,
    inventory: Cluster,
    payment: Cluster,
}

/// Six of ten shoppers are European, and every payment is made in the US: most traces cross a border.
pub(super) fn shape(random: &mut Rng) -> Shape {
    match random.u8(0..10) {
        0..=5 => Shape { frontend: EU_A, checkout: EU_A, inventory: EU_B, payment: US_A },
        6..=7 => Shape { frontend: UK_A, checkout: UK_A, inventory: EU_B, payment: US_A },
        _ => Shape { frontend: US_A, checkout: US_A, inventory: EU_B, payment: US_A },
    }
}

pub(super) fn outcome(random: &mut Rng) -> Outcome {
    match random.u8(0..20) {
        0..=1 => Outcome::Failed,
        2..=3 => Outcome::Slow,
        4 => Outcome::HealthCheck,
        _ => Outcome::Usual,
    }
}

/// The spans of one trace, parents before their children.
pub(super) fn plan(shape: Shape, outcome: Outcome, random: &mut Rng) -> Vec<Planned> {
    if outcome == Outcome::HealthCheck {
        return vec![health_check(shape.frontend, random)];
    }
    let payment = match outcome {
        Outcome::Slow => random.u64(550..1400),
        _ => random.u64(20..120),
    };
    let site = |cluster, service| Site { cluster, service };
    let mut plan = Plan { spans: Vec::new() };
    let request = What::Request { method: "POST", route: "/checkout" };
    let root = plan.add(None, site(shape.frontend, "frontend"), request, millis(0, payment + 90));
    let order = plan.call(root, site(shape.checkout, "checkout"), "/orders", millis(5, payment + 80));
    plan.add(Some(order), site(shape.checkout, "checkout"), What::Query { table: "orders" }, millis(10, 10));
    plan.call(order, site(shape.inventory, "inventory"), "/stock/{sku}", millis(22, 25));
    let charge = plan.call(order, site(shape.payment, "payment"), "/charges", millis(50, payment));
    plan.add(Some(charge), site(shape.payment, "payment"), What::Work, millis(54, payment - 8));
    if random.u8(0..12) == 0 {
        // One of the services that the example's sampling policy keeps whatever happens.
        plan.call(order, site(shape.inventory, "fraud-review"), "/reviews", millis(24, 20));
    }
    if outcome == Outcome::Failed {
        plan.fail(charge);
    }
    plan.spans
}

fn health_check(cluster: Cluster, random: &mut Rng) -> Planned {
    let what = What::Request { method: "GET", route: "/health/live" };
    let when = When { start: Duration::ZERO, length: Duration::from_micros(random.u64(200..900)) };
    Planned { parent: None, site: Site { cluster, service: "frontend" }, what, when, failed: false }
}

fn millis(start: u64, length: u64) -> When {
    When { start: Duration::from_millis(start), length: Duration::from_millis(length) }
}

struct Plan {
    spans: Vec<Planned>,
}

impl Plan {
    fn add(&mut self, parent: Option<usize>, site: Site, what: What, when: When) -> usize {
        self.spans.push(Planned { parent, site, what, when, failed: false });
        self.spans.len() - 1
    }

    /// A client span in the caller and a server span in the callee; returns the latter.
    fn call(&mut self, caller: usize, callee: Site, route: &'static str, when: When) -> usize {
        let from = self.spans.get(caller).map_or(callee, |span| span.site);
        let client = self.add(Some(caller), from, What::Call { route }, when);
        let way = Duration::from_millis(2);
        let inner = When { start: when.start + way, length: when.length.saturating_sub(2 * way) };
        self.add(Some(client), callee, What::Request { method: "POST", route }, inner)
    }

    /// An error goes from the span that failed up to the root, through all that waited for it.
    fn fail(&mut self, from: usize) {
        let mut next = Some(from);
        while let Some(span) = next.and_then(|position| self.spans.get_mut(position)) {
            span.failed = true;
            next = span.parent;
        }
    }
}

impl What {
    /// A name made of attributes of the span, as the semantic conventions want it.
    pub(super) fn name(self) -> String {
        match self {
            Self::Request { method, route } => format!("{method} {route}"),
            Self::Call { .. } => "POST".to_owned(),
            Self::Query { table } => format!("SELECT {table}"),
            Self::Work => "authorize".to_owned(),
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Request { .. } => Kind::Server,
            Self::Call { .. } | Self::Query { .. } => Kind::Client,
            Self::Work => Kind::Internal,
        }
    }
}
