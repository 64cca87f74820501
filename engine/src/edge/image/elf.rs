//! What a program's file says of itself (elf(5)).

/// A part of a program's file that is loaded, or tells how: its kind, and where it is in the file.
struct Segment {
    kind: usize,
    from: usize,
    length: usize,
}

fn number(elf: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = elf.get(at..at.checked_add(length)?)?;
    bytes.iter().rev().try_fold(0usize, |sum, byte| {
        sum.checked_mul(256)?.checked_add(usize::from(*byte))
    })
}

/// The segments of a program (ELF-64, little-endian: elf(5)); `None` if it is something else.
fn segments(elf: &[u8]) -> Option<Vec<Segment>> {
    if elf.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (table, size, count) = (
        number(elf, 32, 8)?,
        number(elf, 54, 2)?,
        number(elf, 56, 2)?,
    );
    let segment = |entry: usize| {
        let at = table.checked_add(entry.checked_mul(size)?)?;
        Some(Segment {
            kind: number(elf, at, 4)?,
            from: number(elf, at.checked_add(8)?, 8)?,
            length: number(elf, at.checked_add(32)?, 8)?,
        })
    };
    (0..count).map(segment).collect()
}

/// How much of a program's file is loaded when it runs, with the tables that say so.
pub(super) fn loaded(elf: &[u8]) -> Option<usize> {
    let table = number(elf, 32, 8)?;
    let tables = table.checked_add(number(elf, 54, 2)?.checked_mul(number(elf, 56, 2)?)?)?;
    let ends = segments(elf)?.into_iter();
    let ends = ends.map(|segment| segment.from.checked_add(segment.length));
    let ends: Option<Vec<usize>> = ends.collect();
    Some(ends?.into_iter().fold(tables, usize::max))
}

/// Says of a program that it has no table of sections, which running it does not take.
pub(super) fn without_sections(elf: &mut [u8]) {
    if segments(elf).is_some() {
        // Its place, and then its size, count and the number of the section with their names.
        for part in [40..48, 58..64] {
            if let Some(bytes) = elf.get_mut(part) {
                bytes.fill(0);
            }
        }
    }
}

/// The loader that a program names; `None` if it needs none.
pub(super) fn interpreter(elf: &[u8]) -> Option<String> {
    const INTERP: usize = 3;
    let mut segments = segments(elf)?.into_iter();
    let segment = segments.find(|segment| segment.kind == INTERP)?;
    let end = segment.from.checked_add(segment.length)?;
    let text = elf.get(segment.from..end)?;
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    String::from_utf8(text.to_vec()).ok()
}
