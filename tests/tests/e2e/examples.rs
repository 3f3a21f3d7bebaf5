//! Do the examples of the core do what they say?

use std::process::{Child, Command, Stdio};

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Config, Site, program};

/// Ended with the test.
struct Example(Child);

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_core_over_plain_sockets_of_the_standard_library_forwards_samples() {
    let example = program::example("std_sockets");
    let folder = tempfile::tempdir().expect("a folder");
    let table = folder.path().join("table.json");
    let start = |config: &Config| {
        config.write(&table);
        let mut command = Command::new(&example);
        command.arg(&table).stdin(Stdio::null());
        Example(command.spawn().expect("it starts"))
    };
    let config = cloud().with("mqtt_qos", 1).signal("p");
    let site = Site::assemble(Redis::start(), Mosquitto::start(), config, start);
    site.publish("p", "12.5,1708000203824,");
    site.expect("tag/cloud/p/in", "12.5,1708000203824,1");
}
