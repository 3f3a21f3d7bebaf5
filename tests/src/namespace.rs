//! A link that can really go down: two network namespaces and a cable between them.
//!
//! The thread that makes them, and the threads and processes that it starts from then on, live in the first, the site, with the servers. The
//! daemon is started in the second, the gateway. Nothing of the machine's own network is touched, and no address of it can be met.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::install;

/// The site's address, where the broker listens.
pub const SITE: &str = "10.0.0.1";
/// The gateway's addresses, the first one to begin with.
pub const GATEWAY: [&str; 2] = ["10.0.0.2", "10.0.0.3"];

/// Both namespaces. They are there until this is dropped.
pub struct Namespaces {
    site: String,
    gateway: String,
}

impl Namespaces {
    /// Makes them, and moves the calling thread into the site's; `Err` with the reason if this system does not permit that.
    ///
    /// # Errors
    ///
    /// What failed first: without being root, the first command.
    ///
    /// # Panics
    ///
    /// If something fails after namespaces were permitted.
    pub fn enter() -> Result<Self, String> {
        let id = fastrand::u32(..);
        let both = Self {
            site: format!("mqc-site-{id:08x}"),
            gateway: format!("mqc-gateway-{id:08x}"),
        };
        for name in [&both.site, &both.gateway] {
            ip(&["netns", "add", name])?;
        }
        ip(&[
            "link",
            "add",
            "cable",
            "netns",
            &both.site,
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            &both.gateway,
        ])?;
        for (name, address) in [(&both.site, SITE), (&both.gateway, GATEWAY[0])] {
            let address = format!("{address}/24");
            for words in [
                &["addr", "add", &address, "dev", "cable"][..],
                &["link", "set", "lo", "up"],
                &["link", "set", "cable", "up"],
            ] {
                both.change(name, words);
            }
        }
        let file = File::open(format!("/run/netns/{}", both.site)).expect("the site's namespace");
        let moved = move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network));
        moved.map_err(|error| format!("setns: {error}"))?;
        Ok(both)
    }

    /// What stands in front of the command line of a program that runs on the gateway.
    #[must_use]
    pub fn on_the_gateway(&self) -> Vec<String> {
        let namespace = format!("--net=/run/netns/{}", self.gateway);
        vec![String::from("nsenter"), namespace, String::from("--")]
    }

    /// Runs `ip` with these words at the gateway.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn at_the_gateway(&self, words: &[&str]) {
        self.change(&self.gateway, words);
    }

    /// Runs `ip` with these words at the site.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn at_the_site(&self, words: &[&str]) {
        self.change(&self.site, words);
    }

    fn change(&self, name: &str, words: &[&str]) {
        if let Err(error) = ip(&[&["-n", name], words].concat()) {
            panic!("{error}");
        }
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in [&self.site, &self.gateway] {
            // The cable goes with them. A namespace that could not be made is not there.
            let _ = ip(&["netns", "del", name]);
        }
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let output = Command::new(install::path(install::IP))
        .args(words)
        .output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {}", words.join(" "), error.trim_end()))
}
