#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mqtt_client_fuzz::proxy_answer::check(bytes));
