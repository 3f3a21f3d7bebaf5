//! What are the rules of a row of the Signals tab? (Manual chapter 22, "MQTT parameters for Signals tab".)

use super::Signal;
use super::check::Fields;
use super::finding::Problem;
use super::json::SyntaxError;
use super::schema::Key;
use super::topic::{self, MAX_CHANNEL};

/// The settings of a row, and whether it is enabled; where one is wrong, its default, after reporting it.
///
/// `device` is the index of the signal's device, and `device_alias` its alias, empty if it was missing.
pub(super) fn signal<'a>(
    fields: &mut Fields<'_, 'a, '_>,
    device: u16,
    device_alias: &str,
) -> Result<(Signal<'a>, bool), SyntaxError> {
    let mut signal = Signal {
        name: fields.text(Key::SignalName).unwrap_or_default(),
        device,
        alias: fields.text(Key::SignalAlias).unwrap_or_default(),
        source_device_alias: fields.text(Key::SourceDeviceAlias).unwrap_or_default(),
        source_signal_alias: fields.text(Key::SourceSignalAlias).unwrap_or_default(),
        ..Signal::EMPTY
    };
    let enable = fields.boolean(Key::Enable);
    signal.log = fields.integer(Key::Log);
    signal.topic = fields.text(Key::Topic);
    let pieces = topic::channel(device_alias, signal.alias);
    let bytes = pieces.iter().map(|piece| piece.len()).sum();
    if bytes > MAX_CHANNEL {
        fields.error(Key::SignalAlias, Problem::ChannelTooLong { bytes });
    }
    if let Some(topic) = signal.topic {
        fields.topic(Key::Topic, topic);
    } else if !fields.row.is_given(Key::Topic) {
        if let Some(flaw) = topic::character_flaw(signal.alias) {
            let value = fields.shown(Key::SignalAlias);
            fields.error(Key::SignalAlias, Problem::DefaultTopic { value, flaw });
        } else {
            fields.warn_unwelcome(Key::SignalAlias, signal.alias);
        }
    }
    fields.keys()?;
    Ok((signal, enable))
}
