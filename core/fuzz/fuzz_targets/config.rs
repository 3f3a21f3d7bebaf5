#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mqtt_client_fuzz::config::check(bytes));
