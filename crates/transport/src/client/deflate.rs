//! Compresses a payload that lies in chunks.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::GzEncoder;
use tollgate_federation::Compression;

/// Between regions CPU costs more than what higher levels save (a fifth of the bytes for half as much time again).
const ZSTD_LEVEL: i32 = 1;

/// The chunks as they go out: as they are, or one compressed chunk.
pub(crate) fn compress(compression: Compression, chunks: &[Bytes]) -> Vec<Bytes> {
    let packed = match compression {
        Compression::None => return chunks.to_vec(),
        Compression::Gzip => {
            write_all(GzEncoder::new(Vec::new(), flate2::Compression::fast()), chunks).and_then(GzEncoder::finish)
        }
        Compression::Zstd => zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)
            .and_then(|encoder| write_all(encoder, chunks))
            .and_then(zstd::stream::write::Encoder::finish),
    };
    // Writing to a vector does not fail, and the levels are constants the libraries know.
    vec![packed.unwrap_or_default().into()]
}

fn write_all<W: Write>(mut encoder: W, chunks: &[Bytes]) -> io::Result<W> {
    chunks.iter().try_for_each(|chunk| encoder.write_all(chunk))?;
    Ok(encoder)
}
