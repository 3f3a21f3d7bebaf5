//! A message from Redis.
//!
//! - What is accepted prints back byte for byte: value and timestamp are the message's own fields.
//! - It is accepted exactly when a reader made of the standard library's parsers accepts it, with the same quality.
//! - What is printed, read again, is the same.

use mqtt_client_core::sample::{MAX_MESSAGE, MAX_PAYLOAD, Quality, Sample};

/// Checks one message.
pub fn check(message: &[u8]) {
    let expected = expected(message);
    let sample = match Sample::parse(message) {
        Ok(sample) => sample,
        Err(rejection) => {
            assert_eq!(expected, None, "{rejection}");
            return;
        }
    };
    let (value, timestamp, good) =
        expected.expect("it is rejected by the standard library's parsers");
    let quality = if good { Quality::Good } else { Quality::Bad };
    assert_eq!(
        (sample.value, sample.timestamp, sample.quality),
        (value.as_bytes(), timestamp.as_bytes(), quality)
    );

    let payload = sample.payload().concat();
    let digit = u8::from(good);
    assert_eq!(payload, format!("{value},{timestamp},{digit}").as_bytes());
    assert!(payload.len() <= MAX_PAYLOAD);
    if payload.len() <= MAX_MESSAGE {
        let again = Sample::parse(&payload).expect("its own words");
        assert_eq!(
            (again.value, again.timestamp),
            (sample.value, sample.timestamp)
        );
    }
}

/// Value, timestamp and whether the quality is good.
fn expected(message: &[u8]) -> Option<(&str, &str, bool)> {
    if message.len() > MAX_MESSAGE || message.iter().any(u8::is_ascii_control) {
        return None;
    }
    let mut fields = message.splitn(3, |byte| *byte == b',');
    let text = |field| {
        str::from_utf8(field)
            .ok()
            .map(|text: &str| text.trim_matches(' '))
    };
    let value = text(fields.next()?)?;
    let timestamp = text(fields.next()?)?;
    // All that `f64` reads is a number to us too, but for `inf` and `infinity`.
    let number: f64 = value.parse().ok()?;
    let infinite = value.contains(['i', 'I']);
    if number.is_nan() == value.to_ascii_lowercase().contains("nan") && !infinite {
        // `u64` would take a plus sign.
        timestamp
            .parse::<u64>()
            .ok()
            .filter(|_| !timestamp.starts_with('+'))?;
    } else {
        return None;
    }
    let flags = String::from_utf8_lossy(fields.next().unwrap_or_default()).to_ascii_uppercase();
    let tokens = |text: &str| {
        let tokens = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        tokens.map(String::from).collect::<Vec<_>>()
    };
    // `12,5,1708000203824,` is a decimal comma.
    let first = &tokens(flags.trim_start_matches(' '))[0];
    if first.len() >= 11 && first.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let bad = tokens(&flags)
        .iter()
        .any(|token| ["IV", "NT", "OV"].contains(&token.as_str()));
    Some((value, timestamp, !bad))
}
