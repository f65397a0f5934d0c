//! Frames that many clients get together: as one piece, so that a connection holds and writes one thing, however many frames
//! it is.

use bytes::BytesMut;

use crate::{Frame, frame::put_text};

/// Frames in a row, of which none supersedes another.
#[derive(Debug, Default)]
pub(crate) struct Run {
    bytes: BytesMut,
    count: u32,
}

impl Run {
    /// Adds a text message in one frame.
    pub(crate) fn text(&mut self, text: &str) {
        put_text(&mut self.bytes, text);
        self.count += 1;
    }

    /// All of them, if there are any.
    pub(crate) fn finish(self) -> Option<Frame> {
        (self.count > 0).then(|| Frame::several(self.bytes.freeze(), self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::Run;
    use crate::Frame;

    #[test]
    fn it_is_its_frames_in_a_row() {
        let texts = [0, 3, 125, 126, 65_535, 65_536].map(|length| "x".repeat(length));
        let mut run = Run::default();
        for text in &texts {
            run.text(text);
        }
        let run = run.finish().unwrap();
        assert_eq!(run.count(), texts.len());
        let frames = texts.map(|text| Frame::text(&text).into_bytes());
        assert_eq!(run.into_bytes(), frames.concat());
        assert_eq!(Run::default().finish(), None);
    }

    #[test]
    fn it_ends_with_the_frame_that_was_begun() {
        let mut all = Run::default();
        for (letter, length) in [("a", 3), ("b", 200), ("c", 70_000), ("d", 1)] {
            all.text(&letter.repeat(length));
        }
        let all = all.finish().unwrap();
        let ends = [5, 5 + 204, 5 + 204 + 70_010, all.len()];
        let mut before = 0;
        for (n, end) in ends.into_iter().enumerate() {
            for begun in [before + 1, end - 1, end] {
                let mut run = all.clone();
                run.end_with(begun);
                assert_eq!((run.len(), run.count()), (end, n + 1), "{begun}");
            }
            before = end;
        }
    }
}
