//! How much memory does a bridge take, and where is it? The board says both, in one place.

use core::cell::RefCell;
use core::mem::ManuallyDrop;

use heapless::Vec;
use heapless::vec::VecView;
use mqtt_client_core::bridge::Broker;
use mqtt_client_core::bridge::assembly::{Block, BrokerSizes, FeedSizes};
use mqtt_client_core::config::{Config, Device, Signal};
use mqtt_client_core::index::Index;
use mqtt_client_core::mqtt::{MAX_PUBLISH, session as mqtt};
use mqtt_client_core::redis::session::MIN_INPUT;
use mqtt_client_core::routes::LastSample;
#[cfg(feature = "spool")]
use mqtt_client_core::spool::{BLOCK, Buffers, NAMES};
use smoltcp::iface::SocketStorage;
use smoltcp::socket::dns::DnsQuery;

#[cfg(feature = "spool")]
use crate::flash::{Part, Sectors};
use crate::stack::{Client, Link, Stack};

/// How much of everything a board has room for. All of it is in the one [`Memory`]. What it costs is in bytes on a 32-bit processor,
/// where a memory without anything takes 1900.
///
/// | field | costs | too small |
/// |---|---|---|
/// | `signals` | 96 bytes each | the configuration is refused |
/// | `devices` | 1240 bytes each, and the seven buffers of a broker | the configuration is refused |
/// | `keys` | 6 bytes each | the configuration is refused |
/// | `text` | itself | the configuration is refused |
/// | `redis_receive` | itself | Redis is slowed down; it cuts off who is too slow for long |
/// | `redis_send` | itself | more round trips to subscribe |
/// | `redis_input` | itself | messages over it are counted as rejected |
/// | `redis_commands` | itself | the configuration is refused; more round trips to subscribe |
/// | `broker_receive`, `broker_input` | themselves, for each device | acknowledgements come in smaller portions |
/// | `broker_send` | itself, for each device | fewer messages in a round trip |
/// | `broker_control` | itself, for each device | the configuration is refused |
/// | `broker_transmit` | itself, for each device | more, smaller writes |
/// | `outbox` | itself, for each device | fewer samples wait for a broker that is away |
/// | `in_flight` | 2 bytes each, for each device | fewer messages in a round trip at QoS 1 and 2 |
/// | `spools` | 14,400 bytes each | the configuration is refused; 0 in a build without spools |
///
/// With the feature `spool` a device takes some 2,500 more, whether or not it has one.
///
/// [`Runner`](crate::Runner), which lives wherever the board puts it, takes 230 more, and its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Rows of the Signals tab, those of other protocols' devices included.
    pub signals: usize,
    /// Rows of the Devices tab, disabled ones and other protocols' included. Each may be an enabled broker.
    pub devices: usize,
    /// Keys in one row of the file, at most; 32 is enough for all that have a meaning.
    pub keys: usize,
    /// Bytes of those strings of the file that hold escapes (`\n`, `\u00b0`); all others stay in flash.
    pub text: usize,
    /// Bytes of the TCP window that Redis may fill between two turns.
    pub redis_receive: usize,
    /// Bytes of SUBSCRIBE and PING that TCP keeps until they are acknowledged.
    pub redis_send: usize,
    /// Bytes that are read from Redis at once, at least 512 ([`MIN_INPUT`]).
    pub redis_input: usize,
    /// Bytes of one command to Redis, at least 360 and the lengths of user name and password.
    pub redis_commands: usize,
    /// Bytes of the TCP window that a broker may fill between two turns.
    pub broker_receive: usize,
    /// Bytes of messages that TCP keeps until they are acknowledged.
    pub broker_send: usize,
    /// Bytes that are read from a broker at once, at least 8; an acknowledgement has 4.
    pub broker_input: usize,
    /// Bytes of packets that are no messages: CONNECT with the Last Will and what proves who we are, and the answers to
    /// what one input holds.
    pub broker_control: usize,
    /// Bytes of messages that are made ready for TCP at once, at least 393 ([`MAX_PUBLISH`]).
    pub broker_transmit: usize,
    /// Bytes for samples that wait for a broker, or for its acknowledgement: the `buffer_size` of a device that names none. Devices
    /// that name one share what there is for all.
    pub outbox: usize,
    /// Messages that may be sent and not acknowledged: what bounds a device's `max_inflight`.
    pub in_flight: usize,
    /// Devices that may have a `spool_size`.
    pub spools: usize,
}

impl Sizes {
    /// 32 signals and one broker, in 22,208 bytes on a 32-bit processor.
    pub const SMALL: Sizes = Sizes {
        signals: 32,
        devices: 1,
        keys: 32,
        text: 128,
        redis_receive: 2048,
        redis_send: 512,
        redis_input: 1024,
        redis_commands: 512,
        broker_receive: 512,
        broker_send: 2048,
        broker_input: 256,
        broker_control: 512,
        broker_transmit: 512,
        outbox: 8192,
        in_flight: 64,
        spools: 0,
    };

    /// These sizes.
    ///
    /// # Panics
    /// If there is no broker, or a buffer is smaller than its least size; for a constant that is an error of compilation.
    #[must_use]
    pub const fn checked(self) -> Self {
        assert!(self.devices >= 1, "a bridge has at least one device");
        assert!(self.devices <= 1 << 15, "devices are numbered in 16 bits");
        assert!(self.redis_input >= MIN_INPUT, "redis_input is at least 512");
        assert!(
            self.broker_input >= mqtt::MIN_INPUT,
            "broker_input is at least 8"
        );
        assert!(
            self.broker_transmit >= MAX_PUBLISH,
            "broker_transmit is at least 393"
        );
        assert!(self.outbox >= 1024, "outbox is at least 1024");
        assert!(self.in_flight >= 1, "in_flight is at least 1");
        assert!(
            self.spools <= self.devices,
            "a device has one spool at most"
        );
        assert!(
            self.spools == 0 || cfg!(feature = "spool"),
            "spools take the feature `spool`"
        );
        let receives = self.redis_receive > 0 && self.broker_receive > 0;
        assert!(
            receives && self.redis_send > 0 && self.broker_send > 0,
            "TCP needs its buffers"
        );
        self
    }

    /// Sockets of the TCP/IP stack: one for each link, and those for DNS and DHCP.
    #[must_use]
    pub const fn sockets(&self) -> usize {
        self.links() + 2
    }

    /// Links: Redis, and one for each device.
    #[must_use]
    pub const fn links(&self) -> usize {
        self.devices + 1
    }

    /// Elements of the index that the configuration is checked with, and of the one from channels to signals.
    #[must_use]
    pub const fn index(&self) -> usize {
        Index::slots_for(self.devices)
            + self.devices
            + Index::slots_for(self.signals)
            + self.signals
            + Index::slots_for(self.keys)
            + self.channels()
    }

    const fn channels(&self) -> usize {
        Index::slots_for(self.signals)
    }

    /// Bytes of all buffers.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.text
            + self.redis_receive
            + self.redis_send
            + self.feed().bytes()
            + self.devices
                * (self.broker_receive + self.broker_send + self.broker(self.outbox).bytes())
    }

    pub(crate) const fn feed(&self) -> FeedSizes {
        FeedSizes {
            input: self.redis_input,
            commands: self.redis_commands,
        }
    }

    /// Of a broker with this share of the outboxes' memory.
    pub(crate) const fn broker(&self, outbox: usize) -> BrokerSizes {
        BrokerSizes {
            outbox,
            in_flight: self.in_flight,
            input: self.broker_input,
            control: self.broker_control,
            transmit: self.broker_transmit,
        }
    }
}

/// The memory of one bridge, as [`Sizes`] says, used once: [`Runner::new`](crate::Runner::new) borrows it for good.
/// A new one is all zeros, so that as a `static` it takes no flash. It is not `Send`, so that `static` is a `static mut`, like
/// those that cortex-m-rt's `#[entry]` makes safe.
///
/// ```
/// use mqtt_client_bare::{Memory, Sizes, memory_type};
///
/// const SIZES: Sizes = Sizes { signals: 16, ..Sizes::SMALL };
/// let memory: memory_type!(SIZES) = Memory::new();
/// # let _ = memory;
/// ```
pub struct Memory<
    'a,
    const SIGNALS: usize,
    const DEVICES: usize,
    const LINKS: usize,
    const SOCKETS: usize,
    const INDEX: usize,
    const BYTES: usize,
    const SPOOLS: usize,
> {
    // Vectors, not arrays: an empty vector is all zeros, and an array of devices is not.
    devices: Lent<Device<'a>, DEVICES>,
    signals: Lent<Signal<'a>, SIGNALS>,
    last: Lent<LastSample, SIGNALS>,
    config: Lent<Config<'a>, 1>,
    brokers: Lent<Broker<'a, Client<'a>>, DEVICES>,
    sockets: Lent<SocketStorage<'a>, SOCKETS>,
    queries: Lent<Option<DnsQuery>, LINKS>,
    links: Lent<Link, LINKS>,
    stack: Lent<RefCell<Stack<'a>>, 1>,
    index: [u32; INDEX],
    bytes: [u8; BYTES],
    #[cfg(feature = "spool")]
    spools: [SpoolMemory<'a>; SPOOLS],
}

/// Room for values that borrow from each other, which nothing in it has to be dropped for.
type Lent<T, const N: usize> = ManuallyDrop<Vec<T, N>>;

/// The type of the [`Memory`] for [`Sizes`] that are a constant.
#[macro_export]
macro_rules! memory_type {
    ($sizes:expr) => {
        $crate::Memory<
            '_,
            { $sizes.checked().signals },
            { $sizes.devices },
            { $sizes.links() },
            { $sizes.sockets() },
            { $sizes.index() },
            { $sizes.bytes() },
            { $sizes.spools },
        >
    };
}

/// A [`Memory`] taken apart, whatever its sizes.
pub struct Pieces<'a> {
    pub(crate) devices: &'a mut [Device<'a>],
    pub(crate) signals: &'a mut [Signal<'a>],
    pub(crate) last: &'a mut [LastSample],
    pub(crate) config: &'a mut VecView<Config<'a>>,
    pub(crate) brokers: &'a mut VecView<Broker<'a, Client<'a>>>,
    pub(crate) sockets: &'a mut [SocketStorage<'a>],
    pub(crate) queries: &'a mut [Option<DnsQuery>],
    pub(crate) links: &'a mut VecView<Link>,
    pub(crate) stack: &'a mut VecView<RefCell<Stack<'a>>>,
    pub(crate) index: &'a mut [u32],
    pub(crate) channels: &'a mut [u32],
    pub(crate) bytes: Block<'a>,
    #[cfg(feature = "spool")]
    pub(crate) spools: &'a mut [SpoolMemory<'a>],
    #[cfg(feature = "spool")]
    pub(crate) flash: FlashForSpools<'a>,
}

/// Flash for spools, if the board gives any.
#[cfg(feature = "spool")]
pub(crate) type FlashForSpools<'a> = Option<&'a RefCell<dyn Sectors + 'a>>;

/// The memory of one spool: its log's, and its share of the flash.
#[cfg(feature = "spool")]
pub(crate) struct SpoolMemory<'a> {
    blocks: [[u8; BLOCK]; 2],
    window: [u8; BLOCK],
    places: [u32; NAMES],
    names: [u32; NAMES],
    part: Lent<Part<'a>, 1>,
}

#[cfg(feature = "spool")]
impl<'a> SpoolMemory<'a> {
    const NEW: Self = SpoolMemory {
        blocks: [[0; BLOCK]; 2],
        window: [0; BLOCK],
        places: [0; NAMES],
        names: [0; NAMES],
        part: lent(),
    };

    pub(crate) fn take_apart(&'a mut self) -> (Buffers<'a>, &'a mut VecView<Part<'a>>) {
        let buffers = Buffers {
            blocks: &mut self.blocks,
            window: &mut self.window,
            places: &mut self.places,
            names: &mut self.names,
        };
        (buffers, self.part.as_mut_view())
    }
}

impl<
    'a,
    const SIGNALS: usize,
    const DEVICES: usize,
    const LINKS: usize,
    const SOCKETS: usize,
    const INDEX: usize,
    const BYTES: usize,
    const SPOOLS: usize,
> Memory<'a, SIGNALS, DEVICES, LINKS, SOCKETS, INDEX, BYTES, SPOOLS>
{
    #[must_use]
    pub const fn new() -> Self {
        Memory {
            devices: lent(),
            signals: lent(),
            last: lent(),
            config: lent(),
            brokers: lent(),
            sockets: lent(),
            queries: lent(),
            links: lent(),
            stack: lent(),
            index: [0; INDEX],
            bytes: [0; BYTES],
            #[cfg(feature = "spool")]
            spools: [SpoolMemory::NEW; SPOOLS],
        }
    }
}

impl<
    'a,
    const SIGNALS: usize,
    const DEVICES: usize,
    const LINKS: usize,
    const SOCKETS: usize,
    const INDEX: usize,
    const BYTES: usize,
    const SPOOLS: usize,
> From<&'a mut Memory<'a, SIGNALS, DEVICES, LINKS, SOCKETS, INDEX, BYTES, SPOOLS>> for Pieces<'a>
{
    fn from(
        memory: &'a mut Memory<'a, SIGNALS, DEVICES, LINKS, SOCKETS, INDEX, BYTES, SPOOLS>,
    ) -> Self {
        let channels = Index::slots_for(SIGNALS).min(INDEX);
        let (channels, index) = memory.index.split_at_mut(channels);
        Pieces {
            devices: filled(&mut memory.devices, || Device::EMPTY),
            signals: filled(&mut memory.signals, || Signal::EMPTY),
            last: filled(&mut memory.last, || LastSample::NOTHING),
            config: memory.config.as_mut_view(),
            brokers: memory.brokers.as_mut_view(),
            sockets: filled(&mut memory.sockets, || SocketStorage::EMPTY),
            queries: filled(&mut memory.queries, || None),
            links: memory.links.as_mut_view(),
            stack: memory.stack.as_mut_view(),
            index,
            channels,
            bytes: Block::new(&mut memory.bytes),
            #[cfg(feature = "spool")]
            spools: &mut memory.spools,
            #[cfg(feature = "spool")]
            flash: None,
        }
    }
}

impl<
    const SIGNALS: usize,
    const DEVICES: usize,
    const LINKS: usize,
    const SOCKETS: usize,
    const INDEX: usize,
    const BYTES: usize,
    const SPOOLS: usize,
> Default for Memory<'_, SIGNALS, DEVICES, LINKS, SOCKETS, INDEX, BYTES, SPOOLS>
{
    fn default() -> Self {
        Self::new()
    }
}

const fn lent<T, const N: usize>() -> Lent<T, N> {
    ManuallyDrop::new(Vec::new())
}

/// All of the vector's room, in use.
fn filled<T, const N: usize>(vector: &mut Lent<T, N>, value: impl Fn() -> T) -> &mut [T] {
    while vector.push(value()).is_ok() {}
    vector
}
