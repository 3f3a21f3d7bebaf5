//! What are the rules of the `spool` block, and of a device's part in it?

use super::check::Fields;
use super::finding::Problem;
use super::json::SyntaxError;
use super::schema::Key;
use super::{Device, Spool};

/// Smallest spool, in bytes: four segments of the smallest length.
const SMALLEST: i64 = 65_536;

/// The block's settings; where one is wrong, its default, after reporting it.
pub(super) fn spool<'a>(fields: &mut Fields<'_, 'a, '_>) -> Result<Spool<'a>, SyntaxError> {
    let path = fields.text(Key::Path);
    let flush_interval = fields.integer(Key::FlushInterval);
    fields.keys()?;
    Ok(Spool {
        path,
        flush_interval,
    })
}

/// What a device's row says of it.
pub(super) fn device(fields: &mut Fields<'_, '_, '_>, device: &mut Device<'_>) {
    let size = fields.given_integer(Key::SpoolSize).unwrap_or_default();
    if (1..SMALLEST).contains(&size) {
        let value = fields.shown(Key::SpoolSize);
        let (min, max) = (SMALLEST, 1 << 40);
        fields.error(Key::SpoolSize, Problem::NotInRange { value, min, max });
    }
    device.spool_size = size as u64;
    device.replay_rate = fields.integer(Key::ReplayRate);
    device.live_first = fields.boolean(Key::LiveFirst);
    device.max_age = fields.integer(Key::MaxAge);
}

/// What waits in memory alone goes in its order.
pub(super) fn without_spool(fields: &mut Fields<'_, '_, '_>, device: &Device<'_>) {
    if device.live_first && device.spool_size == 0 {
        let because = "spool_size=0";
        fields.warn(Key::LiveFirst, Problem::Ignored { because });
    }
}
