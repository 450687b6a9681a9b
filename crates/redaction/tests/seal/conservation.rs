//! Whatever comes in: no panic, every item counted once, and what comes out is a request.

use proptest::prelude::*;
use prost::Message;
use tollgate_otlp::{Limits, walk_traces};
use tollgate_redaction::Counts;
use tollgate_residency::{Class, Form};

use crate::sow::Sower;
use crate::world::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_item_crosses_or_is_counted(seed: u64, flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
        let mut sower = Sower::new(seed);
        let mut payload = sower.request().encode_to_vec();
        // The index of the sound bytes is used for the broken ones too, as after a bit flip on disk.
        let index = walked(&payload);
        for (at, byte) in flips {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let walked_again = walk_traces(&payload, &Limits::default()).ok().map(|walked| walked.index);
        for index in [Some(index), walked_again].into_iter().flatten() {
            let out = example().seal(&payload, &index, ARRIVAL);
            let counts = *out.counts();
            prop_assert_eq!(counts.items_in, index.items() as u64);
            prop_assert_eq!(counts.items_in, counts.items_out + counts.withheld());
            let whole = out.whole();
            prop_assert_eq!(whole.items(), counts.items_out);
            let arrived = decoded(&whole.bytes());
            let scopes = arrived.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
            prop_assert_eq!(scopes.map(|scope| scope.spans.len() as u64).sum::<u64>(), counts.items_out);
        }
    }

    #[test]
    fn parts_together_are_the_whole(seed: u64, parts in 1_usize..5) {
        let mut sower = Sower::new(seed);
        let sent = sower.request();
        let whole = seal(&mut example(), &sent).whole();
        let split = seal(&mut example(), &sent).split(parts, |trace| Some(usize::from(trace.as_bytes()[0]) % parts));
        prop_assert_eq!(split.len(), parts);
        prop_assert_eq!(split.iter().flatten().map(|part| part.items()).sum::<u64>(), whole.items());
        prop_assert!(split.iter().flatten().all(|part| !part.is_empty()));
    }
}

#[test]
fn values_are_counted_by_class_and_form() {
    let attributes =
        vec![text("http.route", "/a"), text("user.id", "jane"), text("user.email", "jane"), text("acme.x", "jane")];
    let out = seal(&mut example(), &request(vec![], vec![span(attributes)]));
    let counts = out.counts();
    assert_eq!(counts.values(Class::Direct, Form::Keyed), 1);
    assert_eq!(counts.values(Class::Direct, Form::Absent), 1);
    assert_eq!(counts.values(Class::Unclassified, Form::Absent), 1);
    // Route and two times; the name `GET` has nothing to be composed of, and trace and span id are `corr`.
    assert_eq!(counts.values(Class::Op, Form::Raw), 3);
    assert_eq!(counts.values(Class::Op, Form::Absent), 1);
    assert_eq!(counts.values(Class::Corr, Form::Raw), 2);
    let mut twice = Counts::default();
    twice.add(counts);
    twice.add(counts);
    assert_eq!((twice.items_in, twice.values(Class::Direct, Form::Keyed)), (2, 2));
}
