//! Does the core speak MQTT as the standard and other people's programs have it?
//!
//! | module | question |
//! |---|---|
//! | `conformance` | is `docs/conformance.md` whole, and is what it says there? |
//! | `mqtt_packet` | are packets the bytes that `mqtt-packet` expects? |

mod conformance;
mod mqtt_packet;
