//! What could be read of `regions/`, faults or not.
//!
//! Promises:
//! 1. Every fault of `regions/` is reported in one pass.
//! 2. What other documents are checked against is there whatever else is wrong; what a fault left unknown is missing, so
//!    that no other reader reports it again.
//! 3. Two regions never share a CA bundle: no region's authority can speak for another.
//! 4. Only a draft without gaps becomes a `Federation`.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use tollgate_config::{At, Document, Faults, Located, Set, Value};

use crate::address::Host;
use crate::connect::{Connected, Drafts, connect};
use crate::federation::Federation;
use crate::link::{Link, LinkDraft, LinkId};
use crate::name::Name;
use crate::origin::Regime;
use crate::partly::Partly;
use crate::region::RegionDraft;

const DOCUMENT: &str = "regions/federation.yaml";
/// What the number of a link can say.
const MAX_LINKS: usize = 1 << 16;

/// What could be read of the federation.
#[derive(Debug)]
pub struct FederationDraft {
    federation: Option<Federation>,
    regimes: Vec<Located<Regime>>,
    reliances: Vec<Reliance>,
}

/// What a link says of one regime: by which instrument its data may cross.
#[derive(Debug, Clone)]
pub struct Reliance {
    /// The regime whose data crosses.
    pub origin: Regime,
    /// The instrument's name, where it stands.
    pub instrument: Located<String>,
    /// The regime it reaches; `None` where that could not be read.
    pub reaching: Option<Regime>,
    /// The legal entity that sends it; `None` where that could not be read.
    pub exporter: Option<String>,
    /// The legal entity that receives it; `None` where that could not be read.
    pub recipient: Option<String>,
}

impl FederationDraft {
    /// Reads `regions/`.
    pub fn read(set: &Set, faults: &Faults) -> Self {
        let head = set.require(DOCUMENT, faults).and_then(|document| Head::read(document.root(faults)));
        let head = head.unwrap_or_else(|| Head { identity: None, links: Partly::unread() });
        let drafts = read_regions(set, faults);
        refuse_shared_trust(&drafts, faults);
        let Connected { links, reliances } = connect(head.links, &drafts, faults);
        let regimes = drafts.values().flat_map(RegionDraft::regimes).cloned().collect();
        let federation = federation(set, head.identity, links, drafts);
        Self { federation, regimes, reliances }
    }

    /// The regimes that regions and backends say they lie in.
    pub fn regimes(&self) -> &[Located<Regime>] {
        &self.regimes
    }

    /// What the links say of instruments.
    pub fn reliances(&self) -> &[Reliance] {
        &self.reliances
    }

    /// The federation, if nothing is missing, to be judged by other readers.
    pub fn federation(&self) -> Option<&Federation> {
        self.federation.as_ref()
    }

    /// The federation, if nothing is missing. It is in force only if the list of faults is empty.
    pub fn whole(self) -> Option<Federation> {
        self.federation
    }
}

fn federation(
    set: &Set,
    identity: Option<(Name, String)>,
    links: Option<Vec<Link>>,
    drafts: Drafts,
) -> Option<Federation> {
    let (name, trust_domain) = identity?;
    let regions =
        drafts.into_iter().map(|(name, draft)| Some((name, draft.region?))).collect::<Option<BTreeMap<_, _>>>();
    Some(Federation::new(name, trust_domain, digest(set), regions?, links?))
}

/// The federation's own document.
struct Head {
    identity: Option<(Name, String)>,
    links: Partly<Vec<LinkDraft>>,
}

impl Head {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let identity = fields.required_value("federation").and_then(read_identity);
        let links = fields.value("links").map_or_else(Partly::empty, read_links);
        fields.done();
        Some(Self { identity, links })
    }
}

fn read_identity(value: Value<'_>) -> Option<(Name, String)> {
    let mut fields = value.fields()?;
    let name = fields.required::<Name>("name");
    let domain = fields.required_value("trust_domain").and_then(read_trust_domain);
    fields.done();
    name.zip(domain)
}

/// The characters of a SPIFFE trust domain (SPIFFE-ID section 2.1) that are also those of a host name.
fn read_trust_domain(value: Value<'_>) -> Option<String> {
    let host: Host = value.read()?;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    if host.as_str().bytes().all(allowed) {
        return Some(host.as_str().to_owned());
    }
    value.fault("a trust domain consists of a-z, 0-9, '-' and '.'");
    None
}

fn read_links(value: Value<'_>) -> Partly<Vec<LinkDraft>> {
    let Some(items) = value.items() else { return Partly::unread() };
    let expected = items.len();
    if expected > MAX_LINKS {
        value.fault(format_args!("more than {MAX_LINKS} links"));
    }
    let read: Vec<LinkDraft> = items
        .into_iter()
        .zip(0..=u16::MAX)
        .filter_map(|(item, number)| LinkDraft::read(LinkId(number), item))
        .collect();
    Partly { complete: read.len() == expected, read }
}

fn read_regions(set: &Set, faults: &Faults) -> Drafts {
    let mut regions = Drafts::new();
    for document in set.documents().filter(|document| document.name() != DOCUMENT) {
        let Some(stem) = document.name().strip_prefix("regions/").and_then(|file| file.strip_suffix(".yaml")) else {
            continue;
        };
        match stem.parse::<Name>() {
            Ok(name) => drop(regions.insert(name.clone(), RegionDraft::read(name, document, faults))),
            Err(error) => {
                faults.report(
                    &At::document(document.name()),
                    format_args!("the file is named after its region: {error}"),
                );
                if let Some(name) = said_name(document) {
                    let draft = RegionDraft::read(name.clone(), document, faults);
                    regions.entry(name).or_insert(draft);
                }
            }
        }
    }
    regions
}

/// The name that a document gives its region, where its file gives none.
fn said_name(document: &Document) -> Option<Name> {
    let unheard = Faults::new(); // `RegionDraft` reads the same again and reports
    document.root(&unheard).fields()?.required("region")
}

fn refuse_shared_trust(drafts: &Drafts, faults: &Faults) {
    let mut seen = BTreeMap::new();
    for (name, ca) in drafts.iter().filter_map(|(name, draft)| Some((name, draft.ca.as_ref()?))) {
        match seen.get(&ca.value) {
            Some(other) => {
                faults.report(&ca.at, format_args!("the ca of {other}: only its own ca speaks for a region"))
            }
            None => drop(seen.insert(&ca.value, name)),
        }
    }
}

/// Lengths come first, so that no two sets have the same bytes.
fn digest(set: &Set) -> [u8; 32] {
    let mut hash = Sha256::new();
    for document in set.documents() {
        for part in [document.name(), &document.canonical()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hash.finalize().into()
}
