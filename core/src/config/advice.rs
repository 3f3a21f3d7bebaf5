//! Is a valid setting one to warn of? What goes over a network unprotected.

use core::net::Ipv4Addr;

use super::check::Fields;
use super::device::CERTIFICATE_KEYS;
use super::finding::Problem;
use super::schema::Key;
use super::{Auth, Device, Endpoint, Redis};
use crate::net::proxy::Proxy;

/// Whether nobody else carries what is sent to this host.
pub(super) fn is_this_machine(host: &str) -> bool {
    match host.parse::<Ipv4Addr>() {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => host.eq_ignore_ascii_case("localhost") || host == "::1",
    }
}

/// An enabled device's user names and passwords that go to another machine as they are.
pub(super) fn device(fields: &mut Fields<'_, '_, '_>, device: &Device<'_>) {
    let stays_here = |proxy: &Proxy<'_>| is_this_machine(proxy.host());
    // With certificates beside it, that is said already.
    let is_said = CERTIFICATE_KEYS.iter().any(|&key| fields.row.is_given(key));
    let is_near = is_this_machine(device.host) && device.proxy.as_ref().is_none_or(stays_here);
    if let Auth::Password(own) = device.auth
        && !is_said
        && !is_near
    {
        let key = match own.password {
            Some(_) => Key::Password,
            None => Key::Username,
        };
        let cure = if fields.check.abilities.tls {
            "auth=tls encrypts it"
        } else {
            OWN_NETWORK
        };
        fields.warn(key, Problem::Plain { cure });
    }
    // TLS begins behind the proxy.
    if device
        .proxy
        .is_some_and(|proxy| proxy.login().is_some() && !stays_here(&proxy))
    {
        fields.warn(Key::ProxyPassword, Problem::Plain { cure: OWN_NETWORK });
    }
}

/// The same of Redis.
pub(super) fn redis(fields: &mut Fields<'_, '_, '_>, redis: &Redis<'_>) {
    if let Endpoint::Tcp { host, .. } = redis.endpoint
        && redis.password.is_some()
        && !is_this_machine(host)
    {
        fields.warn(Key::Password, Problem::Plain { cure: OWN_NETWORK });
    }
}

const OWN_NETWORK: &str = "use a network of your own, or a VPN";
