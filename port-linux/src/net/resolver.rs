//! Which addresses does a name have? Asked of the system (getaddrinfo: /etc/hosts, then DNS), without waiting.
//!
//! A look-up runs in a thread of its own, which ends with the answer: one slow name delays no other link, and a
//! daemon whose brokers are addresses has no such thread. A link waits for one at a time.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::Error;
use crate::poller::Poller;
use crate::thread::start;
use embedded_nal::AddrType;
use embedded_nal::nb;
use mqtt_client_core::net::turns::Turns;

/// Stack of the thread, bytes. Only pages that are touched cost memory. musl's getaddrinfo needs some 20 KiB (two
/// answers of 4,800 bytes); glibc's loads modules, which need more.
const STACK_SIZE: usize = 256 * 1024;

/// An address that nobody asked for in time is still good for so long, for the next attempt: a resolver that is
/// slower than the caller's patience would never answer otherwise.
const ADDRESSES_KEEP: Duration = Duration::from_secs(60);

/// A failure that nobody asked for in so long was for an attempt that has been given up: the next one looks again.
const FAILURE_KEEPS: Duration = Duration::from_secs(1);

pub(super) type Lookup = fn(&str) -> io::Result<Vec<IpAddr>>;

/// The names of one link.
pub struct Resolver {
    poller: Arc<Poller>,
    lookup: Lookup,
    pending: Option<Pending>,
    turns: Turns<IpAddr>,
}

/// A look-up in progress, or with an answer that has not been asked for yet.
struct Pending {
    name: String,
    answer: Arc<OnceLock<Answer>>,
}

struct Answer {
    at: Instant,
    addresses: io::Result<Vec<IpAddr>>,
}

impl Resolver {
    /// The system's resolver; `poller` is notified when an answer can be picked up.
    pub fn new(poller: Arc<Poller>) -> Resolver {
        Resolver::with_lookup(poller, system_lookup)
    }

    pub(super) fn with_lookup(poller: Arc<Poller>, lookup: Lookup) -> Resolver {
        Resolver {
            poller,
            lookup,
            pending: None,
            turns: Turns::default(),
        }
    }

    /// An address of `name`: the one that served last, else the next in turn; a literal address is its own, at once.
    ///
    /// Would block until the look-up has ended: call again with the same name after the poller has woken. Another
    /// name abandons the look-up. To give up takes no call.
    ///
    /// # Errors
    /// [`Error::Unresolved`], or [`Error::Io`] if no thread can be started.
    pub fn address(
        &mut self,
        name: &str,
        family: &AddrType,
        now: Instant,
    ) -> nb::Result<IpAddr, Error> {
        let addresses = match name.parse() {
            Ok(address) => vec![address],
            Err(_) => self.addresses(name, now)?,
        };
        let fitting = addresses
            .into_iter()
            .filter(|address| fits(address, family));
        self.turns.next(fitting).ok_or_else(|| {
            let reason = io::Error::other("it has no address of the family asked for");
            Error::Unresolved(reason).into()
        })
    }

    /// A connection to the address that was given last has held for so long.
    pub fn held(&mut self, time: Duration) {
        self.turns.held(time.as_millis() as u64);
    }

    fn addresses(&mut self, name: &str, now: Instant) -> nb::Result<Vec<IpAddr>, Error> {
        let pending = self
            .pending
            .take_if(|pending| pending.name != name || pending.has_ended());
        let answer = pending
            .filter(|pending| pending.name == name)
            .and_then(Pending::answer);
        if let Some(answer) = answer.filter(|answer| answer.is_current(now)) {
            return answer
                .addresses
                .map_err(|error| Error::Unresolved(error).into());
        }
        if self.pending.is_none() {
            let pending = Pending::start(name, self.lookup, self.poller.clone());
            self.pending = Some(pending.map_err(Error::Io)?);
        }
        Err(nb::Error::WouldBlock)
    }
}

impl Pending {
    fn start(name: &str, lookup: Lookup, poller: Arc<Poller>) -> io::Result<Pending> {
        let pending = Pending {
            name: name.to_owned(),
            answer: Arc::default(),
        };
        let (name, answer) = (pending.name.clone(), pending.answer.clone());
        let work = move || {
            let addresses = lookup(&name);
            let _ = answer.set(Answer {
                at: Instant::now(),
                addresses,
            });
            // In this order: the loop, woken, finds that the look-up has ended.
            drop(answer);
            poller.notify();
        };
        start(STACK_SIZE, Box::new(work))?;
        Ok(pending)
    }

    /// Whether the thread has let go of its share of the answer.
    fn has_ended(&self) -> bool {
        Arc::strong_count(&self.answer) == 1
    }

    /// `None` if the look-up has not ended.
    fn answer(self) -> Option<Answer> {
        Arc::into_inner(self.answer)?.into_inner()
    }
}

impl Answer {
    fn is_current(&self, now: Instant) -> bool {
        let keeps = match self.addresses {
            Ok(_) => ADDRESSES_KEEP,
            Err(_) => FAILURE_KEEPS,
        };
        now.saturating_duration_since(self.at) <= keeps
    }
}

fn system_lookup(name: &str) -> io::Result<Vec<IpAddr>> {
    let addresses = (name, 0).to_socket_addrs()?;
    Ok(addresses.map(|address| address.ip()).collect())
}

fn fits(address: &IpAddr, family: &AddrType) -> bool {
    match family {
        AddrType::IPv4 => address.is_ipv4(),
        AddrType::IPv6 => address.is_ipv6(),
        AddrType::Either => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::poller::Events;
    use crate::testing::LIMIT;

    const FOUR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const SIX: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

    fn resolver(lookup: Lookup) -> Resolver {
        Resolver::with_lookup(Arc::new(Poller::new().unwrap()), lookup)
    }

    /// Waits as the event loop does: again and again until it would not block.
    fn wait(resolver: &mut Resolver, name: &str, family: &AddrType) -> Result<IpAddr, String> {
        loop {
            match resolver.address(name, family, Instant::now()) {
                Ok(address) => return Ok(address),
                Err(nb::Error::Other(error)) => return Err(error.to_string()),
                Err(nb::Error::WouldBlock) => sleep_until_notified(&resolver.poller),
            }
        }
    }

    fn sleep_until_notified(poller: &Poller) {
        let start = Instant::now();
        poller.wait(&mut Events::new(), Some(LIMIT)).unwrap();
        assert!(start.elapsed() < LIMIT, "the loop is not woken");
    }

    #[test]
    fn a_literal_address_needs_no_look_up() {
        let mut resolver = resolver(|name| unreachable!("{name} was looked up"));
        for (name, address) in [("192.0.2.1", FOUR), ("2001:db8::1", SIX)] {
            let answer = resolver.address(name, &AddrType::Either, Instant::now());
            assert_eq!(answer.unwrap(), address);
        }
        let error = wait(&mut resolver, "192.0.2.1", &AddrType::IPv6).unwrap_err();
        assert_eq!(
            error,
            "name does not resolve: it has no address of the family asked for"
        );
    }

    #[test]
    fn the_system_knows_localhost() {
        let mut resolver = Resolver::new(Arc::new(Poller::new().unwrap()));
        let address = wait(&mut resolver, "localhost", &AddrType::Either).unwrap();
        assert!(address.is_loopback(), "{address}");
    }

    #[test]
    fn the_system_refuses_names_that_cannot_be() {
        let mut resolver = Resolver::new(Arc::new(Poller::new().unwrap()));
        for name in ["", "two words", "host.invalid", "nul\0", &"x".repeat(300)] {
            let error = wait(&mut resolver, name, &AddrType::Either).unwrap_err();
            assert!(
                error.starts_with("name does not resolve: "),
                "{name:?}: {error}"
            );
        }
    }

    #[test]
    fn an_address_that_has_served_is_tried_first_next_time() {
        let mut resolver = resolver(|_| Ok(vec![FOUR, SIX]));
        let mut answer = || wait(&mut resolver, "name", &AddrType::Either).unwrap();
        assert_eq!([answer(), answer()], [FOUR, SIX]);
        resolver.held(Duration::from_secs(10));
        let mut answer = || wait(&mut resolver, "name", &AddrType::Either).unwrap();
        assert_eq!([answer(), answer()], [SIX, FOUR]);
    }

    #[test]
    fn the_addresses_of_a_name_take_turns_within_the_family_asked_for() {
        let other_four = IpAddr::from([192, 0, 2, 2]);
        let mut resolver = resolver(|_| Ok(vec![FOUR, SIX, IpAddr::from([192, 0, 2, 2])]));
        let mut answers = |family| [(); 4].map(|()| wait(&mut resolver, "name", &family).unwrap());
        assert_eq!(
            answers(AddrType::IPv4),
            [FOUR, other_four, FOUR, other_four]
        );
        assert_eq!(answers(AddrType::IPv6), [SIX; 4]);
        let all = answers(AddrType::Either);
        for address in [FOUR, SIX, other_four] {
            assert!(all.contains(&address), "{address} is not in {all:?}");
        }
    }

    #[test]
    fn a_slow_name_delays_no_other_link() {
        static RELEASE: Mutex<Option<Receiver<()>>> = Mutex::new(None);
        let (release, released): (Sender<()>, _) = channel();
        *RELEASE.lock().unwrap() = Some(released);
        let mut slow = resolver(|_| {
            RELEASE.lock().unwrap().take().unwrap().recv().unwrap();
            Ok(vec![SIX])
        });
        let now = Instant::now();
        let mut ask = || slow.address("slow", &AddrType::Either, now);
        assert!(matches!(ask(), Err(nb::Error::WouldBlock)));
        assert!(
            matches!(ask(), Err(nb::Error::WouldBlock)),
            "a second thread would panic"
        );
        assert_eq!(
            wait(
                &mut resolver(|_| Ok(vec![FOUR])),
                "quick",
                &AddrType::Either
            ),
            Ok(FOUR)
        );
        release.send(()).unwrap();
        assert_eq!(wait(&mut slow, "slow", &AddrType::Either), Ok(SIX));
    }

    #[test]
    fn the_answer_to_an_abandoned_look_up_is_not_taken_for_anothers() {
        static RELEASE: Mutex<Option<Receiver<()>>> = Mutex::new(None);
        let (release, released): (Sender<()>, _) = channel();
        *RELEASE.lock().unwrap() = Some(released);
        let mut resolver = resolver(|name| match name {
            "abandoned" => {
                RELEASE.lock().unwrap().take().unwrap().recv().unwrap();
                Err(io::Error::other("too late"))
            }
            _ => Ok(vec![FOUR]),
        });
        let first = resolver.address("abandoned", &AddrType::Either, Instant::now());
        assert!(matches!(first, Err(nb::Error::WouldBlock)));
        assert_eq!(wait(&mut resolver, "other", &AddrType::Either), Ok(FOUR));
        let second = resolver.address("other", &AddrType::Either, Instant::now());
        assert!(matches!(second, Err(nb::Error::WouldBlock)));
        release.send(()).unwrap();
        assert_eq!(wait(&mut resolver, "other", &AddrType::Either), Ok(FOUR));
    }

    #[test]
    fn an_answer_that_comes_too_late_for_one_attempt_serves_the_next_only_while_it_is_current() {
        let succeeds: Lookup = |_| Ok(vec![FOUR]);
        let fails: Lookup = |_| Err(io::Error::other("Try again"));
        for (lookup, keeps) in [(succeeds, ADDRESSES_KEEP), (fails, FAILURE_KEEPS)] {
            for (age, is_used) in [(keeps / 2, true), (keeps * 2, false)] {
                let mut resolver = resolver(lookup);
                let ask = |resolver: &mut Resolver, now| {
                    matches!(
                        resolver.address("name", &AddrType::Either, now),
                        Err(nb::Error::WouldBlock)
                    )
                };
                assert!(ask(&mut resolver, Instant::now()));
                sleep_until_notified(&resolver.poller);
                let now = Instant::now() + age;
                assert_eq!(
                    ask(&mut resolver, now),
                    !is_used,
                    "after {age:?} of {keeps:?}"
                );
            }
        }
    }
}
