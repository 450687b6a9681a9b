//! Builds what goes to places inside the region: copies of ranges, taken apart by owner, nothing constructed.

use bytes::Bytes;
use tollgate_federation::LocalPlace;
use tollgate_otlp::{Batch, select_with};
use tollgate_transport::Local;

use crate::load::map_keys;
use crate::step::Share;

/// Makes loads for one place inside the region.
#[derive(Clone, Debug)]
pub(crate) struct LocalMaker {
    place: LocalPlace,
}

impl LocalMaker {
    pub(crate) fn new(place: LocalPlace) -> Self {
        Self { place }
    }

    /// A request that goes there as it is; `None` if it holds nothing.
    pub(crate) fn whole(&self, request: Bytes, items: usize) -> Option<Local> {
        (items > 0).then(|| Local { chunks: vec![request], items, place: self.place.clone() })
    }

    /// The items of each part under their resource and scope; `part_of_item` says for each item which part it is in,
    /// and `resource` rewrites each resource.
    pub(crate) fn parts(
        &self,
        batch: Batch<'_>,
        part_of_item: &[Option<usize>],
        parts: usize,
        resource: &dyn Fn(&[u8], &mut Vec<u8>),
    ) -> Vec<Option<Local>> {
        let make = |part| {
            let mut out = Vec::new();
            let keep = |item: usize| part_of_item.get(item).copied().flatten() == Some(part);
            let items = select_with(batch, keep, |_, body, out| resource(body, out), &mut out);
            (items > 0).then(|| Local { chunks: vec![out.into()], items, place: self.place.clone() })
        };
        (0..parts).map(make).collect()
    }
}

/// For each item of the batch which part of the share it goes to.
pub(crate) fn assign(batch: Batch<'_>, share: &Share<'_>) -> Vec<Option<usize>> {
    map_keys(batch, &mut |key| share.part_of(key))
}
