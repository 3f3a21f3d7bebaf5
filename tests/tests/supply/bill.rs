//! Does a shipped program say what is in it, and by whose leave?

use std::collections::HashSet;
use std::fs;

use mqtt_client_tests::debian_rust;
use mqtt_client_tests::gateway::BIG_ENDIAN;
use mqtt_client_tests::supply::{self, Bill, Part, Product, notices, platform, sbom};
use serde_json::Value;
use tempfile::TempDir;

fn daemon(is_lean: bool) -> Product {
    Product {
        name: "mqtt-client",
        target: BIG_ENDIAN.target,
        is_lean,
        features: String::new(),
    }
}

fn utility() -> Product {
    Product {
        name: "elseta-mqtt-config",
        target: "x86_64-pc-windows-gnu",
        is_lean: false,
        features: "excel".into(),
    }
}

/// What stands for the compiler's parts, which this machine may not have.
fn musl() -> Part {
    Part {
        name: "musl".into(),
        version: "1".into(),
        licence: "MIT".into(),
        features: Vec::new(),
        checksum: None,
        repository: None,
        is_from_registry: false,
        needs: Vec::new(),
        texts: vec!["musl as a whole is licensed".into()],
    }
}

fn bill(product: Product) -> Bill {
    Bill::of(product, vec![musl()]).expect("every crate has its licence")
}

fn part<'b>(bill: &'b Bill, name: &str) -> Option<&'b Part> {
    bill.parts.iter().find(|part| part.name == name)
}

#[test]
fn the_daemon_is_made_of_what_is_linked_for_its_target_with_the_features_of_the_build() {
    let whole = bill(daemon(false));
    let features = |name: &str| part(&whole, name).map(|part| part.features.join(","));
    assert_eq!(whole.parts[0].name, "mqtt-client");
    assert_eq!(
        features("mqtt-client").as_deref(),
        Some("default,json,mqtt5,providers,proxy,spool,status,tls")
    );
    assert_eq!(features("rustls").as_deref(), Some("ring,std,tls12"));
    // The tests have `pty` and more of it.
    let rustix = part(&whole, "rustix").expect("the daemon's system calls");
    assert!(!rustix.features.iter().any(|feature| feature == "pty"));
    for not_linked in [
        "cc",
        "rcgen",
        "calamine",
        "windows-sys",
        "serde_json",
        "fastrand",
    ] {
        assert_eq!(part(&whole, not_linked), None, "{not_linked}");
    }
    let lean = bill(daemon(true));
    for of_tls in ["rustls", "ring", "subtle", "rustls-webpki"] {
        assert!(part(&whole, of_tls).is_some(), "{of_tls}");
        assert_eq!(part(&lean, of_tls), None, "{of_tls}");
    }
    assert!(part(&bill(utility()), "calamine").is_some());
}

/// What the specification asks for: CycloneDX 1.5, JSON.
#[test]
fn the_bill_of_materials_is_a_document_of_cyclonedx() {
    for product in [daemon(false), daemon(true), utility()] {
        let bill = bill(product);
        let hash = "0123456789abcdef".repeat(4);
        let document = sbom::document(&bill, &hash);
        assert_eq!(document["bomFormat"], "CycloneDX");
        assert_eq!(document["specVersion"], "1.5");
        assert_eq!(document["version"], 1);
        let program = &document["metadata"]["component"];
        assert_eq!(program["type"], "application");
        assert_eq!(program["hashes"][0]["content"], *hash);

        let components = document["components"].as_array().expect("a list");
        let mut references = HashSet::new();
        for component in components.iter().chain([program]) {
            let text = |key: &str| component[key].as_str().unwrap_or_default();
            assert!(matches!(text("type"), "application" | "library"));
            assert!(!text("name").is_empty() && !text("version").is_empty());
            assert!(
                !component["licenses"][0]["expression"]
                    .as_str()
                    .unwrap()
                    .contains('/')
            );
            assert!(references.insert(text("bom-ref").to_owned()), "{component}");
            if text("bom-ref").starts_with("pkg:cargo/") {
                let hash = component["hashes"][0]["content"].as_str();
                assert_eq!(hash.map(str::len), Some(64), "{component}");
                assert_eq!(text("purl"), text("bom-ref"));
            }
        }
        // All that is needed is in the list, and all that is in the list is needed by something.
        let mut needed: HashSet<String> = HashSet::new();
        for dependency in document["dependencies"].as_array().expect("a list") {
            assert!(references.contains(dependency["ref"].as_str().expect("a reference")));
            for need in dependency["dependsOn"].as_array().expect("a list") {
                let need = need.as_str().expect("a reference");
                assert!(references.contains(need), "{need}");
                needed.insert(need.into());
            }
        }
        assert_eq!(needed.len(), components.len());
    }
}

#[test]
fn the_notices_hold_the_words_of_every_licence_and_who_gave_it() {
    let text = notices::text(&bill(daemon(false)));
    for (what, words) in [
        ("the list", "ring 0.17"),
        (
            "ring's ISC",
            "Permission to use, copy, modify, and/or distribute this software",
        ),
        (
            "ring's Apache-2.0",
            "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION",
        ),
        (
            "subtle's BSD",
            "Redistributions of source code must retain the above copyright",
        ),
        ("MIT", "Permission is hereby granted, free of charge"),
        ("musl", "musl as a whole is licensed"),
        ("our own", "Copyright (c)"),
    ] {
        assert!(text.contains(words), "{what}");
    }
    // Of what may be chosen, the short one: ring's is the only Apache licence.
    let apache = "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION";
    assert_eq!(text.matches(apache).count(), 1);
    let lean = notices::text(&bill(daemon(true)));
    assert!(!lean.contains(apache));
    let utility = notices::text(&bill(utility()));
    for words in ["calamine 0.38", "zlib-rs", "musl"] {
        assert!(utility.contains(words), "{words}");
    }
}

#[test]
fn both_lie_beside_the_package_under_its_name() {
    let folder = TempDir::new().expect("a temporary folder");
    let program = folder.path().join("mqtt-client");
    fs::write(&program, "abc").expect("a new file");
    let bill = bill(daemon(true));
    let written = bill.write(&program, &folder.path().join("licences"));
    supply::copy_beside(
        &folder.path().join("m_1.0-r1_mips.ipk"),
        &written.expect("files"),
    )
    .expect("copies");
    let beside = |name: &str| fs::read_to_string(folder.path().join(name)).expect("a copy");
    let document: Value =
        serde_json::from_str(&beside("m_1.0-r1_mips.sbom.cdx.json")).expect("JSON");
    assert_eq!(
        document["metadata"]["component"]["hashes"][0]["content"],
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert!(
        beside("m_1.0-r1_mips.notices.txt").starts_with("mqtt-client for mips-unknown-linux-musl")
    );
}

#[test]
fn the_standard_library_is_told_of_with_the_crates_in_it() {
    if !debian_rust::has_library() {
        println!("skipped: the source of Debian's standard library is not installed");
        return;
    }
    let names = |with_backtraces| -> Vec<String> {
        let parts = platform::std(with_backtraces).expect("parts with their licences");
        assert!(parts.iter().all(|part| !part.texts.is_empty()));
        parts.into_iter().map(|part| part.name).collect()
    };
    let small = names(false);
    for name in ["rust-std", "compiler-builtins", "libc-in-rust-std"] {
        assert!(small.iter().any(|other| other == name), "{name}");
    }
    assert!(names(true).len() > small.len());
}
