#![no_main]

libfuzzer_sys::fuzz_target!(|case: mqtt_client_fuzz::packets_v5::Case| {
    mqtt_client_fuzz::packets_v5::check(&case)
});
