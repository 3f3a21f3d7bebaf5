//! A message from Redis.
//!
//! - What is accepted prints back byte for byte: value and timestamp are the message's own fields.
//! - It is accepted exactly when a reader made of the standard library's parsers accepts it, with the same quality.
//! - What is printed, read again, is the same.
//! - It is the same by the grammar alone: a space in front is dropped, and no way but the grammar knows of it.
//! - It comes out of an outbox as it went in, wherever it lies there.

use mqtt_client_core::mqtt::QoS;
use mqtt_client_core::outbox::Outbox;
use mqtt_client_core::payload;
use mqtt_client_core::sample::{MAX_MESSAGE, MAX_TEXT, Quality, Sample};

/// Checks one message.
pub fn check(message: &[u8]) {
    let expected = expected(message);
    if message.len() < MAX_MESSAGE {
        let by_grammar = [b" ", message].concat();
        assert_eq!(Sample::parse(&by_grammar), Sample::parse(message));
    }
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

    let payload = payload(&sample);
    let digit = u8::from(good);
    assert_eq!(payload, format!("{value},{timestamp},{digit}").as_bytes());
    assert!(payload.len() <= payload::MAX_LEN);
    if payload.len() <= MAX_MESSAGE {
        let again = Sample::parse(&payload).expect("its own words");
        assert_eq!(
            (again.value, again.timestamp),
            (sample.value, sample.timestamp)
        );
    }
}

/// The payload that a sample becomes, by way of an outbox.
fn payload(sample: &Sample<'_>) -> Vec<u8> {
    let (mut bytes, mut handshakes) = ([0; 200], [[0; 2]; 4]);
    let mut outbox = Outbox::new(&mut bytes, &mut handshakes, QoS::AtMostOnce);
    // The second one lies somewhere else, and the third around the end of the ring.
    let mut payloads = (0..3).map(|signal| {
        assert!(outbox.append(signal, false, sample), "it is empty");
        let outgoing = outbox.next_outgoing(1).expect("one waits");
        assert_eq!(outgoing.signal(), signal);
        let mut payload = vec![0; payload::len(outgoing.text_len())];
        payload::write(&mut payload, outgoing.quality(), |text| {
            outbox.write_text(&outgoing, text);
        });
        outbox.hand_out(&outgoing);
        outbox.sent_in_part();
        assert!(outbox.append(9, false, sample) || sample.text(&mut [0; MAX_TEXT]).len() > 80);
        outbox.sent_all(0);
        while let Some(outgoing) = outbox.next_outgoing(1) {
            outbox.hand_out(&outgoing);
            outbox.sent_all(0);
        }
        payload
    });
    let first = payloads.next().expect("three");
    payloads.for_each(|other| assert_eq!(other, first));
    first
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
