//! A checksum against accidents.

use std::fs;
use std::io::Read;
use std::path::Path;

/// True if a file ends in the checksum of what comes before.
pub fn is_whole(path: &Path) -> bool {
    let check = || -> std::io::Result<bool> {
        let mut file = fs::File::open(path)?;
        let size = file.metadata()?.len();
        let Some(mut left) = size.checked_sub(CHECKSUM_BYTES as u64) else {
            return Ok(false);
        };
        let mut sum = Checksum::default();
        // A multiple of the checksum's block, so that only the last part is not.
        let mut buffer = vec![0; 256 << 10];
        while left > 0 {
            let part = buffer
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            file.read_exact(&mut buffer[..part])?;
            sum.add(&buffer[..part]);
            left -= part as u64;
        }
        let mut expected = [0; CHECKSUM_BYTES];
        file.read_exact(&mut expected)?;
        Ok(sum.end() == expected)
    };
    check().unwrap_or(false)
}

const LANES: usize = 4;
const CHECKSUM_BYTES: usize = LANES * 8;

/// A checksum against accidents, as fast as memory: a digest would take longer than all else
/// that loading does. Whoever can change the file on purpose can change the checksum as well.
///
/// Each lane is FNV-1a with words for bytes, and a rotation, so that high bits matter too. Every
/// step can be undone, so two inputs of one length that differ in one word never agree.
#[derive(Debug)]
pub struct Checksum([u64; LANES]);

impl Default for Checksum {
    fn default() -> Self {
        Self([1, 2, 3, 4])
    }
}

impl Checksum {
    /// Adds a part. All but the last must be multiples of [`CHECKSUM_BYTES`].
    pub fn add(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<CHECKSUM_BYTES>();
        for block in blocks {
            self.block(block);
        }
        if !rest.is_empty() {
            let mut block = [0; CHECKSUM_BYTES];
            block[..rest.len()].copy_from_slice(rest);
            self.block(&block);
            // So that zeros at the end count.
            self.0[0] ^= rest.len() as u64;
        }
    }

    fn block(&mut self, block: &[u8; CHECKSUM_BYTES]) {
        let (words, _) = block.as_chunks::<8>();
        for (lane, word) in self.0.iter_mut().zip(words) {
            *lane = (*lane ^ u64::from_le_bytes(*word))
                .wrapping_mul(0x0000_0100_0000_01b3)
                .rotate_left(23);
        }
    }

    pub fn end(&self) -> [u8; CHECKSUM_BYTES] {
        let mut bytes = [0; CHECKSUM_BYTES];
        for (part, lane) in bytes.chunks_exact_mut(8).zip(self.0) {
            part.copy_from_slice(&lane.to_le_bytes());
        }
        bytes
    }
}
