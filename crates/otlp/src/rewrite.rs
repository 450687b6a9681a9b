//! Writes a request anew, item by item, for the few cases in which items do not go out as they came.

use crate::index::Slice;
use crate::{Batch, Item, Writer};

/// The numbers of the fields that hold a request's resources, and children at both levels below.
const RESOURCES: u32 = 1;
const CHILDREN: u32 = 2;

/// Appends a request of the items of which `write` appends a new body and says so; what stands around them is copied. Returns
/// how many those were.
pub fn select_rewritten(
    batch: Batch<'_>,
    mut write: impl FnMut(&Item<'_>, &mut Vec<u8>) -> bool,
    out: &mut Vec<u8>,
) -> usize {
    let (mut body, mut scope_body, mut resource_body) = (Vec::new(), Vec::new(), Vec::new());
    let mut written = 0;
    let copy = |headers: &[Slice], to: &mut Vec<u8>| {
        to.clear();
        headers.iter().for_each(|slice| to.extend_from_slice(slice.of(batch.payload)));
    };
    for group in batch.resources() {
        copy(group.bounds.headers, &mut resource_body);
        let before = written;
        for scope in group.scopes() {
            copy(scope.bounds.headers, &mut scope_body);
            let headers = scope_body.len();
            for item in scope.items() {
                body.clear();
                if write(&item, &mut body) {
                    Writer::new(&mut scope_body).bytes(CHILDREN, &body);
                    written += 1;
                }
            }
            if scope_body.len() > headers {
                Writer::new(&mut resource_body).bytes(CHILDREN, &scope_body);
            }
        }
        if written > before {
            Writer::new(out).bytes(RESOURCES, &resource_body);
        }
    }
    written
}
