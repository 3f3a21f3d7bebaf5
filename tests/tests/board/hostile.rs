//! What if a peer talks nonsense?

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use mqtt_client_tests::board::{self, Board};
use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::fake_broker::{ACCEPTED, FakeBroker};
use mqtt_client_tests::servers::Redis;
use mqtt_client_tests::{seed, wait};

use crate::finish;

#[test]
fn whatever_a_broker_says_the_board_ends_the_connection_tries_again_and_goes_on() {
    let mut rng = seed::rng();
    let (redis, broker) = (Redis::start(), FakeBroker::start());
    let config = cloud().with("mqtt_qos", 2).signal("p");
    let config = config.with_ports(redis.port(), broker.port());
    let mut board = Board::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    let mut noise = [0; 3000];
    // The first byte is no packet's; what follows is anything.
    rng.fill(&mut noise[1..]);
    let nonsense: [(bool, &[u8]); 4] = [
        // Instead of CONNACK: a page, and a packet that no broker sends.
        (false, b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        (false, &[0xf0, 0xff, 0xff, 0xff, 0xff]),
        // After it: an answer to a subscription that was never asked for, and noise.
        (true, &[0x90, 3, 0x12, 0x34, 0]),
        (true, &noise),
    ];
    for (let_in, bytes) in nonsense {
        let mut link = broker.link();
        link.connect();
        if let_in {
            link.connack(ACCEPTED);
        }
        link.send(bytes);
        assert_eq!(link.packet(), None, "the board ends the connection");
    }
    let (mut link, _) = broker.accept();
    redis.publish(&channel("p"), "1,1000,");
    let publish = link.publish();
    assert_eq!(publish.payload, "1,1000,1");
    finish(&mut board);
}

#[test]
fn whatever_redis_says_the_board_ends_the_connection_tries_again_and_goes_on() {
    let mut rng = seed::rng();
    let mut site = board::site(cloud().with("mqtt_qos", 1).signal("p"));
    let mut noise = vec![0; 3000];
    // The first byte is no beginning of anything; what follows is anything.
    rng.fill(&mut noise[1..]);
    site.redis.stop();
    let listener = TcpListener::bind(("127.0.0.1", site.redis.port())).expect("Redis's port");
    listener.set_nonblocking(true).expect("a socket's option");
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"$99999999999999999999\r\n",
        &noise,
    ] {
        let mut link = accepted(&listener);
        // A board that has had enough of it does not listen to the end.
        let _ = link.write_all(bytes);
        if let Err(error) = link.read_to_end(&mut Vec::new()) {
            // As good an end as any other; what would be wrong is none.
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }
    drop(listener);
    site.redis.start_again();
    site.redis.wait_for_subscriptions(&[channel("p")]);
    site.publish("p", "1,1000,");
    site.expect("tag/cloud/p/in", "1,1000,1");
    assert_eq!(site.broker.bridges().len(), 1, "the broker noticed nothing");
    finish(&mut site.daemon);
}

fn accepted(listener: &TcpListener) -> TcpStream {
    let (link, _) = wait::until("the board at the false Redis", || listener.accept().ok());
    link.set_nonblocking(false).expect("a socket's option");
    link.set_read_timeout(Some(wait::LIMIT))
        .expect("a read timeout");
    link
}
