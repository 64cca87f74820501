//! Whole lines from chunks of bytes.

/// The longest line that is kept; what goes beyond is cut, as no reader has a use for it and a
/// container could fill the memory with it.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// Puts chunks together to lines. Chunks may end anywhere, within a character too.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    /// True if something is waiting, if only an empty line's start that was cut.
    open: bool,
}

impl Lines {
    /// Takes a chunk and gives the lines that it completes.
    pub(super) fn push(&mut self, mut chunk: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(at) = chunk.iter().position(|&byte| byte == b'\n') {
            self.append(&chunk[..at]);
            lines.push(self.take());
            chunk = &chunk[at + 1..];
        }
        self.append(chunk);
        lines
    }

    /// The last line, if it had no end.
    pub(super) fn finish(&mut self) -> Option<String> {
        self.open.then(|| self.take())
    }

    /// True if nothing of a next line has come yet.
    pub(super) fn is_empty(&self) -> bool {
        !self.open
    }

    fn append(&mut self, bytes: &[u8]) {
        let room = MAX_LINE - self.partial.len();
        self.partial
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.open |= !bytes.is_empty();
    }

    fn take(&mut self) -> String {
        self.open = false;
        let line = String::from_utf8_lossy(&self.partial).into_owned();
        self.partial.clear();
        match line.strip_suffix('\r') {
            Some(line) => line.to_owned(),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_may_end_anywhere() {
        let text = "grün\r\n\nzweite\nohne Ende";
        let expected = ["grün", "", "zweite", "ohne Ende"];
        for size in 1..text.len() + 1 {
            let mut lines = Lines::default();
            let mut found: Vec<String> = text
                .as_bytes()
                .chunks(size)
                .flat_map(|chunk| lines.push(chunk))
                .collect();
            found.extend(lines.finish());
            assert_eq!(found, expected, "chunks of {size}");
            assert_eq!(lines.finish(), None);
        }
    }

    #[test]
    fn a_long_line_is_cut_and_what_is_not_utf8_is_shown_as_such() {
        let mut lines = Lines::default();
        for _ in 0..3 {
            assert!(lines.push(&[b'x'; MAX_LINE]).is_empty());
        }
        let found = lines.push(b"\nnext\n\xff\n");
        assert_eq!(found[0].len(), MAX_LINE);
        assert_eq!(&found[1..], ["next", "\u{fffd}"]);
    }
}
