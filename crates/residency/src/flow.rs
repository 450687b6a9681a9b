//! Where data can come to, in which form: the fixpoint over all paths and places.
//!
//! States are (place, crossed or not, origin, signal, item, form); a link is a monotone function on them. In each round only
//! what the last one brought moves on, so the first way that a form comes to a place is a shortest one.
//!
//! Promises:
//! 1. A form is at a place exactly if some path of links and of a region's own hops brings it there.
//! 2. It ends: each round adds a form somewhere, and there are finitely many.
//! 3. Each form knows one of the shortest paths by which it came.
//!
//! Not here: what may be where (`invariant.rs`), what is printed of it (`finding.rs`).

mod items;
mod steps;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tollgate_federation::{Federation, LinkId, PlaceId, Regime, Signal};

use crate::carrier::Carrier;
use crate::day::When;
use crate::existence;
use crate::form::{Action, Form};
use crate::policy::Policy;
use crate::sender::Sender;

pub(crate) use items::{Alike, Items, Kind, One, Owner, Universe};
use steps::{Step, Steps};

/// Where a state is. What has crossed a link is told from what never left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At {
    pub(crate) place: usize,
    pub(crate) crossed: bool,
    pub(crate) origin: usize,
    pub(crate) signal: Signal,
}

/// By which step, and from which form, a form came.
#[derive(Debug, Clone, Copy)]
struct Via {
    step: u32,
    crossed: bool,
    form: Form,
}

/// The forms of each item in one state.
#[derive(Debug, Clone, Default)]
struct Present {
    /// By item, which forms are there: a bit each.
    forms: Vec<u8>,
    fresh: Vec<u8>,
    via: Vec<[Option<Via>; Form::ALL.len()]>,
}

/// The fixpoint.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) steps: Steps,
    pub(crate) items: BTreeMap<Signal, Items>,
    states: HashMap<At, Present>,
}

/// One form that can come to a place over at least one link, or over none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) at: At,
    pub(crate) item: usize,
    pub(crate) form: Form,
}

/// One thing that comes over a link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crossed {
    pub(crate) link: LinkId,
    /// Where it is then.
    pub(crate) at: At,
    /// Whether it had crossed another link before.
    pub(crate) onward: bool,
    pub(crate) item: usize,
    pub(crate) before: Form,
    pub(crate) form: Form,
    /// What the link did to it.
    pub(crate) action: Action,
    /// The number of that among all that it may do.
    number: usize,
}

impl Flow {
    pub(crate) fn of(policy: &Policy, federation: &Federation, when: When) -> Self {
        Self::within(&Universe::attributes(policy), policy, federation, when)
    }

    /// Follows these names and carriers.
    pub(crate) fn within(universe: &Universe, policy: &Policy, federation: &Federation, when: When) -> Self {
        let items = Signal::ALL.map(|signal| (signal, Items::of(policy, signal, universe))).into();
        let steps = Steps::of(policy, federation, when, &items);
        let mut flow = Self { steps, items, states: HashMap::new() };
        for at in flow.steps.entries.clone() {
            let count = flow.count(at.signal);
            let raw = bit(Form::Raw);
            let present = Present { forms: vec![raw; count], fresh: vec![raw; count], via: vec![[None; 5]; count] };
            flow.states.insert(at, present);
        }
        while flow.round() {}
        flow
    }

    fn count(&self, signal: Signal) -> usize {
        self.items.get(&signal).map_or(0, |items| items.list.len())
    }

    /// Moves on what the last round brought; whether that brought anything anew.
    fn round(&mut self) -> bool {
        let mut next: HashMap<At, Vec<(usize, Form, Via)>> = HashMap::new();
        for (at, present) in self.states.iter().filter(|(_, present)| present.fresh.iter().any(|fresh| *fresh != 0)) {
            for (number, step) in self.steps.from(at.place) {
                if let Some((to, moves)) = step.moves(*at) {
                    let known = self.states.get(&to);
                    let arriving = present.moving(number, at.crossed, moves);
                    let new = arriving.filter(|(item, form, _)| known.is_none_or(|known| !known.has(*item, *form)));
                    next.entry(to).or_default().extend(new);
                }
            }
        }
        for present in self.states.values_mut() {
            present.fresh.iter_mut().for_each(|fresh| *fresh = 0);
        }
        let mut grown = false;
        for (to, arriving) in next {
            let count = self.count(to.signal);
            let present = self.states.entry(to).or_default();
            present.forms.resize(count, 0);
            present.fresh.resize(count, 0);
            present.via.resize(count, [None; 5]);
            for (item, form, via) in arriving {
                grown |= present.add(item, form, via);
            }
        }
        grown
    }

    /// Everything that comes over a link, in each form in which it does.
    pub(crate) fn crossings(&self) -> impl Iterator<Item = Crossed> {
        let states = self.states.iter().collect::<BTreeMap<_, _>>();
        states.into_iter().flat_map(move |(at, present)| {
            self.steps.from(at.place).flat_map(move |(_, step)| self.over(*at, present, step))
        })
    }

    fn over(&self, from: At, present: &Present, step: &Step) -> Vec<Crossed> {
        let (Some(link), Some((to, moves))) = (step.link, step.moves(from)) else { return Vec::new() };
        let items = present.forms.iter().enumerate();
        let before = items.flat_map(|(item, there)| forms(*there).map(move |before| (item, before)));
        let lost: Vec<BTreeSet<Carrier>> =
            moves.iter().map(|actions| self.lost(from, present, actions.as_deref())).collect();
        let is_lost = |number: usize, item: usize| {
            let one = self.items.get(&from.signal).and_then(|items| items.list.get(item));
            one.zip(lost.get(number)).is_some_and(|(one, lost)| lost.contains(&one.carrier()))
        };
        let after = before.flat_map(|(item, before)| {
            let stands = moves.iter().enumerate().filter(|(number, _)| !is_lost(*number, item)).collect::<Vec<_>>();
            stands.into_iter().map(move |(number, actions)| {
                let action = actions.as_ref().and_then(|all| all.get(item)).copied().unwrap_or(Action::Absent);
                Crossed { link, at: to, onward: from.crossed, item, before, form: action.on(before), action, number }
            })
        });
        after.filter(|crossed| crossed.form != Form::Absent).collect()
    }

    /// The carriers whose values would stand in what does not cross.
    fn lost(&self, from: At, present: &Present, actions: Option<&[Action]>) -> BTreeSet<Carrier> {
        let Some(items) = self.items.get(&from.signal) else { return BTreeSet::new() };
        let with_forms = items.list.iter().zip(&present.forms).enumerate();
        let crossing = with_forms.filter_map(|(number, (one, there))| match one.kind {
            Kind::Carrier(carrier) => {
                forms(*there).any(|form| moved(actions, number, form) != Form::Absent).then_some(carrier)
            }
            Kind::Attribute { .. } => None,
        });
        let crossing: BTreeSet<Carrier> = crossing.collect();
        let is_lost =
            |carrier: &Carrier| existence::lost(*carrier, from.signal, |needed| crossing.contains(&needed)).is_some();
        Carrier::ALL.iter().copied().filter(is_lost).collect()
    }

    /// Who sent what crosses so.
    pub(crate) fn sender(&self, crossed: &Crossed) -> Sender {
        let step = self.steps.of_link(crossed.link);
        step.and_then(|step| step.sender(crossed.at, crossed.number)).cloned().unwrap_or_default()
    }

    /// A shortest path over the link of a crossing: to its source, then over it.
    pub(crate) fn way(&self, crossed: &Crossed) -> Vec<&PlaceId> {
        let Some(step) = self.steps.of_link(crossed.link) else { return Vec::new() };
        let at = At { place: step.from, crossed: crossed.onward, ..crossed.at };
        let before = Arrival { at, item: crossed.item, form: crossed.before };
        self.places(before).into_iter().chain(self.steps.place(step.to)).collect()
    }

    /// Everything that can be anywhere.
    pub(crate) fn arrivals(&self) -> impl Iterator<Item = Arrival> {
        self.states.iter().flat_map(|(at, present)| {
            let items = present.forms.iter().enumerate();
            items.flat_map(move |(item, there)| forms(*there).map(move |form| Arrival { at: *at, item, form }))
        })
    }

    /// The steps of a shortest path by which it came, each with the form before it, first step first.
    pub(crate) fn path(&self, arrival: Arrival) -> Vec<(&Step, Form)> {
        let mut path = Vec::new();
        let (mut at, mut form) = (arrival.at, arrival.form);
        while let Some(via) = self.via(at, arrival.item, form) {
            let Some(step) = self.steps.step(via.step) else { break };
            path.push((step, via.form));
            (at, form) = (At { place: step.from, crossed: via.crossed, ..at }, via.form);
        }
        path.reverse();
        path
    }

    fn via(&self, at: At, item: usize, form: Form) -> Option<Via> {
        *self.states.get(&at)?.via.get(item)?.get(form as usize)?
    }

    /// Whether the last step of its path is a link.
    pub(crate) fn came_over_a_link(&self, arrival: Arrival) -> bool {
        let via = self.via(arrival.at, arrival.item, arrival.form);
        via.and_then(|via| self.steps.step(via.step)).is_some_and(|step| step.link.is_some())
    }

    /// The places of a path, first place first.
    pub(crate) fn places(&self, arrival: Arrival) -> Vec<&PlaceId> {
        let path = self.path(arrival);
        let first = path.first().map_or(arrival.at.place, |(step, _)| step.from);
        std::iter::once(first)
            .chain(path.iter().map(|(step, _)| step.to))
            .filter_map(|at| self.steps.place(at))
            .collect()
    }

    /// The links of a path, each with the forms before and after it.
    pub(crate) fn links(&self, arrival: Arrival) -> Vec<(LinkId, (Form, Form))> {
        let path = self.path(arrival);
        let after = path.iter().skip(1).map(|(_, form)| *form).chain([arrival.form]);
        path.iter().zip(after).filter_map(|((step, before), after)| Some((step.link?, (*before, after)))).collect()
    }

    pub(crate) fn one(&self, arrival: Arrival) -> Option<&One> {
        self.items.get(&arrival.at.signal)?.list.get(arrival.item)
    }

    pub(crate) fn regime(&self, at: At) -> Option<&Regime> {
        self.steps.regimes.get(at.place)
    }

    pub(crate) fn origin(&self, at: At) -> Option<&Regime> {
        self.steps.origins.get(at.origin)
    }
}

impl Present {
    fn has(&self, item: usize, form: Form) -> bool {
        self.forms.get(item).is_some_and(|there| there & bit(form) != 0)
    }

    /// What is fresh here, as it is behind a step.
    fn moving<'s>(
        &'s self,
        step: u32,
        crossed: bool,
        moves: &'s [Option<Vec<Action>>],
    ) -> impl Iterator<Item = (usize, Form, Via)> + use<'s> {
        let items = self.fresh.iter().enumerate();
        let fresh = items.flat_map(|(item, fresh)| forms(*fresh).map(move |form| (item, form)));
        let moved = fresh.flat_map(move |(item, form)| {
            let via = Via { step, crossed, form };
            moves.iter().map(move |moves| (item, moved(moves.as_deref(), item, form), via))
        });
        moved.filter(|(_, form, _)| *form != Form::Absent)
    }

    fn add(&mut self, item: usize, form: Form, via: Via) -> bool {
        let (Some(forms), Some(fresh), Some(vias)) =
            (self.forms.get_mut(item), self.fresh.get_mut(item), self.via.get_mut(item))
        else {
            return false;
        };
        // Of several ways of one round the first in the order of steps is kept, so that every run says the same.
        let slot = vias.get_mut(form as usize);
        let earlier = |old: &Via| (via.step, via.form, via.crossed) < (old.step, old.form, old.crossed);
        if *forms & bit(form) != 0 && *fresh & bit(form) == 0 {
            return false;
        }
        if let Some(slot) = slot
            && slot.as_ref().is_none_or(earlier)
        {
            *slot = Some(via);
        }
        let new = *forms & bit(form) == 0;
        *forms |= bit(form);
        *fresh |= bit(form);
        new
    }
}

fn bit(form: Form) -> u8 {
    1 << form as u8
}

fn forms(bits: u8) -> impl Iterator<Item = Form> {
    Form::ALL.into_iter().filter(move |form| bits & bit(*form) != 0)
}

/// What becomes of a value in some form; a step without actions changes nothing.
fn moved(actions: Option<&[Action]>, item: usize, form: Form) -> Form {
    let Some(actions) = actions else { return form };
    actions.get(item).copied().unwrap_or(Action::Absent).on(form)
}
