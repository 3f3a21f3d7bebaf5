#![no_main]

libfuzzer_sys::fuzz_target!(|case: mqtt_client_fuzz::packets::Case| {
    mqtt_client_fuzz::packets::check(&case)
});
