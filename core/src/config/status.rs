//! What are the rules of a device's status, and what will does it make?

use super::check::Fields;
use super::finding::Problem;
use super::schema::Key;
use super::{Device, OFFLINE, Will};
use crate::delivery::QoS;

/// Where the status goes, and the Last Will that says it of a device that has not said it itself.
pub(super) fn device<'a>(fields: &mut Fields<'_, 'a, '_>, device: &mut Device<'a>) {
    #[cfg(feature = "health")]
    {
        device.status_interval = fields.integer(Key::StatusInterval);
    }
    let Some(topic) = fields.text(Key::StatusTopic) else {
        if device.status_interval > 0 {
            let because = "no status_topic";
            fields.warn(Key::StatusInterval, Problem::Ignored { because });
        }
        return;
    };
    fields.topic(Key::StatusTopic, topic);
    device.status_topic = Some(topic);
    if !fields.boolean(Key::UseLastWill) {
        device.will = Some(Will {
            topic,
            message: OFFLINE,
            // As the status itself: one that comes twice is the same.
            qos: device.qos.min(QoS::AtLeastOnce),
            retain: true,
        });
    } else if device
        .will
        .is_some_and(|will| will.topic != topic || !will.retain)
    {
        fields.warn(Key::StatusTopic, Problem::StatusStays);
    }
}
