//! Builds what goes to places inside the region: copies of ranges, taken apart by owner, nothing constructed.

use bytes::Bytes;
use tollgate_federation::LocalPlace;
use tollgate_otlp::{Batch, Part, split_with};
use tollgate_runtime::Buffers;
use tollgate_spool::Name;
use tollgate_transport::Local;

use crate::load::map_keys;
use crate::step::Share;

/// Makes loads for one place inside the region.
#[derive(Clone, Debug)]
pub(crate) struct LocalMaker {
    place: LocalPlace,
    buffers: Buffers,
}

/// So many bytes of buffers are kept at hand: as much as a few requests take.
const AT_HAND: usize = 4 << 20;

impl LocalMaker {
    pub(crate) fn new(place: LocalPlace) -> Self {
        Self { place, buffers: Buffers::new(AT_HAND) }
    }

    /// A request that goes there as it is; `None` if it holds nothing.
    pub(crate) fn whole(&self, request: Bytes, items: usize) -> Option<Local> {
        (items > 0).then(|| Local { chunks: vec![request], items, place: self.place.clone() })
    }

    /// A request without items, from this region.
    pub(crate) fn nothing(&self) -> (Name, Local) {
        (Name::from(""), Local { chunks: Vec::new(), items: 0, place: self.place.clone() })
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
        let fair = batch.payload.len() / parts.max(1);
        // An eighth more for what is not shared out evenly and for what is stamped: growing would copy all of it.
        let empty = || Part { bytes: self.buffers.empty(fair + fair / 8), items: 0 };
        let mut made: Vec<Part> = (0..parts).map(|_| empty()).collect();
        let part_of = |item: usize| part_of_item.get(item).copied().flatten();
        split_with(batch, &mut made, part_of, |_, body, out| resource(body, out));
        made.into_iter().map(|part| self.load(part)).collect()
    }

    fn load(&self, Part { bytes, items }: Part) -> Option<Local> {
        let request = self.buffers.lend(bytes);
        self.whole(request, items)
    }
}

/// For each item of the batch which part of the share it goes to.
pub(crate) fn assign(batch: Batch<'_>, share: &Share<'_>) -> Vec<Option<usize>> {
    map_keys(batch, &mut |key| share.part_of(key))
}
