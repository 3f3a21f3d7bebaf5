//! From the spreadsheet to the broker: what an integrator types into a workbook is what the broker gets.

use std::fs;
use std::path::Path;
use std::process::Command;

use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Daemon, program};
use rust_xlsxwriter::{Workbook, XlsxError};
use tempfile::TempDir;

const DEVICES: [&str; 11] = [
    "name",
    "device_alias",
    "enable",
    "protocol",
    "ip",
    "port",
    "mqtt_qos",
    "auth",
    "username",
    "password",
    "client_id",
];
const SIGNALS: [&str; 6] = [
    "signal_name",
    "device_alias",
    "signal_alias",
    "source_device_alias",
    "source_signal_alias",
    "topic",
];

/// A gateway's workbook, with an inverter on Modbus and a broker that knows user 4711 with the password 0123.
fn write_workbook(path: &Path, redis: u16, broker: u16) -> Result<(), XlsxError> {
    let mut workbook = Workbook::new();
    let devices = workbook.add_worksheet().set_name("Devices")?;
    devices.write_row(0, 0, DEVICES)?;
    devices.write_row(1, 0, ["Inverter", "INV1", "1", "Modbus TCP", "10.0.0.7"])?;
    devices.write_row(2, 0, ["Cloud", "cloud"])?;
    devices.write_boolean(2, 2, true)?;
    devices.write_row(2, 3, ["mqtt", "127.0.0.1"])?;
    devices.write_string(2, 5, format!("{broker}.0"))?;
    devices.write_number(2, 6, 1)?;
    devices.write_string(2, 7, "password")?;
    devices.write_number(2, 8, 4711)?;
    devices.write_string(2, 9, "0123")?;
    devices.write_number(2, 10, 20_240_201)?;

    let signals = workbook.add_worksheet().set_name("Signals")?;
    signals.write_row(0, 0, SIGNALS)?;
    signals.write_row(1, 0, ["Power", "INV1", "P"])?;
    signals.write_row(2, 0, ["Power", "cloud", "p", "INV1", "P", "plant/power"])?;
    let more = workbook.add_worksheet().set_name("Signals north")?;
    more.write_row(0, 0, SIGNALS)?;
    more.write_row(1, 0, ["Voltage", "cloud", "u", "INV1", "U"])?;

    let own = workbook.add_worksheet().set_name("Redis")?;
    own.write_string(0, 0, "port")?;
    own.write_number(1, 0, redis)?;
    workbook.save(path)
}

/// The mapping table that the utility makes of the workbook.
fn build(workbook: &Path) -> String {
    let output = Command::new(program::spreadsheet_utility())
        .args(["build".as_ref(), workbook.as_os_str()])
        .args(["-o", "-"])
        .output()
        .expect("run the utility");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).expect("JSON is UTF-8")
}

#[test]
fn samples_of_the_signals_in_a_workbook_reach_the_broker_that_it_names() {
    let redis = Redis::start();
    let broker = Mosquitto::with_user("4711", "0123");
    let folder = TempDir::new().expect("a temporary folder");
    let workbook = folder.path().join("plant.xlsx");
    write_workbook(&workbook, redis.port(), broker.port()).expect("write a workbook");
    let table = build(&workbook);
    fs::remove_file(&workbook).expect("the workbook is not needed any more");

    let subscriber = mqtt_client_tests::subscriber::to(broker.port())
        .user("4711", "0123")
        .connect();
    let _daemon = Daemon::start_with_text(&table);
    let channels = ["tag/cloud/p/in", "tag/cloud/u/in"].map(String::from);
    redis.wait_for_subscriptions(&channels);
    let bridges = broker.wait_for_bridges(1);
    assert!(bridges[0].contains(" as 20240201 "), "{bridges:?}");

    redis.publish("tag/cloud/p/in", "12.5,1708000203824,");
    redis.publish("tag/cloud/u/in", "230.1,1708000203825,IV");
    let power = subscriber.expect("plant/power", "12.5,1708000203824,1");
    assert_eq!(power.qos, 1);
    subscriber.expect("tag/cloud/u/in", "230.1,1708000203825,0");
}
