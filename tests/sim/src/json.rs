//! What is the sample of a JSON payload? The books are kept in the words of the producer, of which JSON does not have all: `+5` goes out as `5`.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::packet::ClientPacket;

/// From the JSON objects that are to go out to `value,timestamp,quality`.
#[derive(Default)]
pub struct Spelling(RefCell<HashMap<String, String>>);

impl Spelling {
    /// This sample is to go out, `value,timestamp,quality`.
    pub fn note(&self, sample: &str) {
        let json = json(sample);
        self.0.borrow_mut().insert(json, sample.to_string());
    }

    /// A PUBLISH with the object of such a sample has the sample itself from now on; any other packet stays as it is.
    pub fn restore(&self, packet: &mut ClientPacket) {
        if let ClientPacket::Publish(publish) = packet
            && let Some(sample) = self.0.borrow().get(&publish.payload)
        {
            publish.payload.clone_from(sample);
        }
    }
}

/// The object that README's rules make of a sample.
fn json(sample: &str) -> String {
    let mut fields = sample.split(',');
    let mut field = || fields.next().unwrap_or_default();
    let [value, timestamp, quality] = [field(), field(), field()];
    let unsigned = value.trim_start_matches(['+', '-']);
    if unsigned.eq_ignore_ascii_case("nan") {
        return format!(r#"{{"v":null,"t":{timestamp},"q":0}}"#);
    }
    let sign = if value.starts_with('-') { "-" } else { "" };
    let end = unsigned.find(['e', 'E']).unwrap_or(unsigned.len());
    let (mantissa, exponent) = unsigned.split_at(end);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    format!(r#"{{"v":{sign}{whole}{point}{fraction}{exponent},"t":{timestamp},"q":{quality}}}"#)
}
