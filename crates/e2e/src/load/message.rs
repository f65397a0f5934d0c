//! The texts that are sent: who sent it and which it is, in front of a filling that makes it as long as wanted.

/// `0003 0000000042 `
const HEAD: usize = 16;
/// No character in it has to be escaped in JSON.
const FILLING: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/// All texts of one run: they are of one length.
#[derive(Clone, Debug)]
pub(crate) struct Messages {
    filling: Vec<u8>,
}

impl Messages {
    /// Texts of so many bytes; of a few more if that is not enough for what must be in it.
    pub(crate) fn new(bytes: usize) -> Self {
        let filling = FILLING.iter().copied().cycle();
        Self {
            filling: filling.take(bytes.saturating_sub(HEAD)).collect(),
        }
    }

    /// Writes the text instead of what is in the buffer.
    pub(crate) fn write(&self, text: &mut Vec<u8>, sender: usize, number: u64) {
        text.clear();
        digits(text, sender as u64, 4);
        text.push(b' ');
        digits(text, number, 10);
        text.push(b' ');
        text.extend_from_slice(&self.filling);
    }

    /// Who sent it and which it is; nothing if any byte is not as it was written.
    pub(crate) fn read(&self, text: &[u8]) -> Option<(usize, u64)> {
        let (head, filling) = text.split_at_checked(HEAD)?;
        if head[4] != b' ' || head[15] != b' ' || filling != self.filling {
            return None;
        }
        let sender = usize::try_from(number(&head[..4])?).ok()?;
        Some((sender, number(&head[5..15])?))
    }
}

fn digits(text: &mut Vec<u8>, mut number: u64, width: usize) {
    let start = text.len();
    text.resize(start + width, b'0');
    for place in text[start..].iter_mut().rev() {
        *place += u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::Messages;

    #[test]
    fn what_was_written_is_read() {
        for bytes in [1, 16, 17, 100, 65_536] {
            let messages = Messages::new(bytes);
            let mut text = Vec::new();
            for (sender, number) in [(0, 0), (42, 4_711), (9_999, 9_999_999_999)] {
                messages.write(&mut text, sender, number);
                assert_eq!(text.len(), bytes.max(16));
                assert_eq!(messages.read(&text), Some((sender, number)));
            }
        }
    }

    #[test]
    fn any_other_byte_is_seen() {
        let messages = Messages::new(40);
        let mut text = Vec::new();
        messages.write(&mut text, 3, 42);
        for index in 0..text.len() {
            let mut other = text.clone();
            other[index] = b'?';
            assert_eq!(messages.read(&other), None, "{index}");
        }
        assert_eq!(messages.read(&text[..39]), None);
        text.push(b'a');
        assert_eq!(messages.read(&text), None);
    }
}
