//! Does the core speak MQTT as the standard and other people's programs have it?
//!
//! | module | question |
//! |---|---|
//! | `conformance` | are the pages of statements whole, and is what they say there? |
//! | `mqtt_packet` | are packets the bytes that `mqtt-packet` expects? |
//! | `mqtt_packet_v5` | are those of MQTT 5? |

mod conformance;
mod mqtt_packet;
mod mqtt_packet_v5;
