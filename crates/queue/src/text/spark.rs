//! A row of numbers as a row of bars: how something went over time, in one line.
//!
//! The highest is a full bar. Never wider than it was asked to be: what is oldest gives way.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The newest `width` numbers, the newest at the end. What is not 0 is seen to be more than nothing.
pub(crate) fn line(numbers: &[u64], width: usize) -> String {
    let shown = &numbers[numbers.len().saturating_sub(width)..];
    let most = shown.iter().copied().max().unwrap_or(0).max(1);
    let bar = |number: u64| {
        let scaled = u128::from(number) * 7 / u128::from(most);
        let height = usize::try_from(scaled).unwrap_or(7);
        BARS[if number > 0 { height.max(1) } else { 0 }]
    };
    shown.iter().map(|number| bar(*number)).collect()
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn the_highest_is_a_full_bar() {
        assert_eq!(line(&[0, 1, 50, 100], 9), "▁▂▄█");
        assert_eq!(line(&[0, 1, 50, 100], 2), "▄█");
        assert_eq!(line(&[0, 0], 9), "▁▁");
        assert_eq!(line(&[u64::MAX, 1], 9), "█▂");
        assert_eq!(line(&[], 9), "");
    }
}
