//! Numbers as a person reads them.

/// Three significant digits, thousands apart: `12,900`, `0.812`, `1.30`.
pub fn figure(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    // Where the first digit is, after rounding: 999.9 is 1,000.
    let power = value.abs().log10().floor();
    let step = 10_f64.powf(power - 2.0);
    let rounded = (value / step).round() * step;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few digits, never negative"
    )]
    let decimals = (2.0 - rounded.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{rounded:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = whole
        .strip_prefix('-')
        .map_or(("", whole), |rest| ("-", rest));
    format!("{sign}{}{rest}", thousands(digits))
}

/// The same for the end of an axis' tick: `1`, `10`, `2.5k`, `1M`.
pub fn short(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        size if size >= 999_500_000.0 => (value / 1e9, "G"),
        size if size >= 999_500.0 => (value / 1e6, "M"),
        size if size >= 1_000.0 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = figure(scaled);
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{unit}")
}

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        let written = [
            (48_213.7, "48,200"),
            (1_234_567.0, "1,230,000"),
            (999.9, "1,000"),
            (99.96, "100"),
            (12.34, "12.3"),
            (1.3, "1.30"),
            (0.8119, "0.812"),
            (0.000_123_4, "0.000123"),
            (0.0, "0"),
            (-1_500.0, "-1,500"),
        ];
        for (value, text) in written {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn ticks_are_short() {
        let written = [
            (0.0, "0"),
            (1.0, "1"),
            (0.25, "0.25"),
            (10.0, "10"),
            (250.0, "250"),
            (2_500.0, "2.5k"),
            (65_536.0, "65.5k"),
            (1_000_000.0, "1M"),
        ];
        for (value, text) in written {
            assert_eq!(short(value), text);
        }
    }
}
