use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use poem::{Endpoint, EndpointExt, endpoint::make, error::NotFoundError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, oneshot},
    task::JoinHandle,
};

use super::*;
use crate::kernel::config::Config;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn config(toml: &str) -> ServerConfig {
    Config::sample(&format!("[server]\nlisten = \"127.0.0.1:0\"\n{toml}")).server
}

struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<io::Result<()>>,
}

async fn serve(config: &ServerConfig, limits: Limits, app: impl Endpoint + 'static) -> Served {
    let bound = bind_with(config, limits).await.unwrap();
    let address = bound.address();
    let (stop, stopped) = oneshot::channel();
    let done = tokio::spawn(bound.serve(app, async move { stopped.await.unwrap_or_default() }));
    Served { address, stop, done }
}

fn hello() -> impl Endpoint {
    make(|_| async { Ok::<_, NotFoundError>("hello") }).map_to_response()
}

async fn plain(change: impl FnOnce(&mut Limits)) -> Served {
    let config = config("");
    let mut limits = Limits::new(&config);
    change(&mut limits);
    serve(&config, limits, hello()).await
}

async fn connect(to: &Served) -> TcpStream {
    TcpStream::connect(to.address).await.unwrap()
}

/// Reads until the answer to [`REQUEST`] is there.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"hello") {
        let mut chunk = [0; 1024];
        let read = stream.read(&mut chunk).await.unwrap();
        assert_ne!(read, 0, "closed after {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8(text).unwrap()
}

/// How long it takes until the server closes.
async fn closed(stream: &mut TcpStream) -> Duration {
    let started = Instant::now();
    let mut rest = Vec::new();
    // A reset is a close too.
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await.expect("never closed");
    started.elapsed()
}

#[tokio::test]
async fn a_slow_head_is_cut_however_it_drips() {
    let served = plain(|limits| limits.head_max = Duration::from_millis(300)).await;
    let mut silent = connect(&served).await;
    let mut half = connect(&served).await;
    half.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    let mut dripping = connect(&served).await;
    let drip = async {
        let started = Instant::now();
        while dripping.write_all(b"\r\n").await.is_ok() && started.elapsed() < Duration::from_secs(5) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        started.elapsed()
    };
    let (silent, half, drip) = tokio::join!(closed(&mut silent), closed(&mut half), drip);
    for took in [silent, half, drip] {
        assert!((250..2500).contains(&took.as_millis()), "{took:?}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_cut_by_its_size() {
    let served = plain(|limits| limits.head_bytes_max = 4096).await;
    let mut stream = connect(&served).await;
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let _ = stream.write_all(&b"A: b\r\n".repeat(2000)).await;
    assert!(closed(&mut stream).await < Duration::from_secs(2));
}

#[tokio::test]
async fn an_idle_connection_and_a_later_slow_head_are_cut() {
    let served = plain(|limits| limits.silence_max = Duration::from_millis(300)).await;
    let mut idle = connect(&served).await;
    idle.write_all(REQUEST).await.unwrap();
    answer(&mut idle).await;
    let mut later = connect(&served).await;
    later.write_all(REQUEST).await.unwrap();
    answer(&mut later).await;
    later.write_all(b"GET / HT").await.unwrap();
    let (idle, later) = tokio::join!(closed(&mut idle), closed(&mut later));
    assert!(idle > Duration::from_millis(200) && later > Duration::from_millis(200), "{idle:?} {later:?}");
}

#[tokio::test]
async fn one_connection_more_than_there_are_places_waits() {
    let served = plain(|limits| limits.connections_max = 2).await;
    let (mut first, mut second, mut third) = (connect(&served).await, connect(&served).await, connect(&served).await);
    for stream in [&mut first, &mut second, &mut third] {
        stream.write_all(REQUEST).await.unwrap();
    }
    answer(&mut first).await;
    answer(&mut second).await;
    let waiting = tokio::time::timeout(Duration::from_millis(200), answer(&mut third)).await;
    assert!(waiting.is_err(), "the third was served");
    drop(first);
    answer(&mut third).await;
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another_in_http_1_and_2() {
    let served = plain(|_| ()).await;
    let mut stream = connect(&served).await;
    for _ in 0..3 {
        stream.write_all(REQUEST).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    }
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    for _ in 0..3 {
        let answer = client.get(format!("http://{}/", served.address)).send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        assert_eq!(answer.text().await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn shutdown_lets_a_running_request_finish_and_takes_no_other() {
    let config = config("");
    let (started, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (in_started, in_finish) = (started.clone(), finish.clone());
    let app = make(move |_| {
        let (started, finish) = (in_started.clone(), in_finish.clone());
        async move {
            started.notify_one();
            finish.notified().await;
            Ok::<_, NotFoundError>("hello")
        }
    });
    let served = serve(&config, Limits::new(&config), app.map_to_response()).await;
    let mut idle = connect(&served).await;
    let mut running = connect(&served).await;
    running.write_all(REQUEST).await.unwrap();
    started.notified().await;

    served.stop.send(()).unwrap();
    assert!(closed(&mut idle).await < Duration::from_secs(2), "an idle connection ends at once");
    assert!(TcpStream::connect(served.address).await.is_err(), "nobody new comes in");
    finish.notify_one();
    assert!(answer(&mut running).await.starts_with("HTTP/1.1 200"));
    tokio::time::timeout(Duration::from_secs(2), served.done).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_port_that_is_taken_is_one_line() {
    let served = plain(|_| ()).await;
    let taken = ServerConfig { listen: served.address, ..config("") };
    let error = bind(&taken).await.err().unwrap().to_string();
    assert_eq!(error, format!("cannot listen on {}: address in use", served.address));
}

mod tls {
    use std::path::PathBuf;

    use rustls::pki_types::{CertificateDer, pem::PemObject};

    use super::*;

    const PAIRS: [(&str, &str); 2] = [
        (include_str!("../../../tests/fixtures/tls/one.pem"), include_str!("../../../tests/fixtures/tls/one.key")),
        (include_str!("../../../tests/fixtures/tls/two.pem"), include_str!("../../../tests/fixtures/tls/two.key")),
    ];

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("enamel-tls-{}", uuid::Uuid::now_v7()));
            std::fs::create_dir(&folder).unwrap();
            Self(folder)
        }
        fn write(&self, name: &str, text: &str) {
            // As certificate managers do it: a new file under the old name.
            std::fs::write(self.0.join("new"), text).unwrap();
            std::fs::rename(self.0.join("new"), self.0.join(name)).unwrap();
        }
        fn config(&self) -> ServerConfig {
            let (cert, key) = (self.0.join("cert.pem"), self.0.join("key.pem"));
            ServerConfig { tls_cert: Some(cert), tls_key: Some(key), ..config("") }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// The certificate a new connection is shown, as 1 or 2.
    async fn shown(served: &Served) -> usize {
        let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).tls_info(true).build().unwrap();
        let answer = client.get(format!("https://{}/", served.address)).send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_2, "ALPN offers it");
        let shown = answer.extensions().get::<reqwest::tls::TlsInfo>().unwrap().peer_certificate().unwrap();
        let is = |pem: &str| *CertificateDer::from_pem_slice(pem.as_bytes()).unwrap() == *shown;
        1 + PAIRS.iter().position(|(cert, _)| is(cert)).unwrap()
    }

    #[tokio::test]
    async fn a_renewed_certificate_is_served_and_a_broken_one_is_not() {
        let folder = Folder::new();
        let config = folder.config();
        assert!(bind(&config).await.err().unwrap().to_string().starts_with("server.tls_cert: "));
        folder.write("cert.pem", PAIRS[0].0);
        folder.write("key.pem", PAIRS[1].1);
        assert!(bind(&config).await.err().unwrap().to_string().contains("are not a pair"));
        folder.write("key.pem", PAIRS[0].1);

        let limits = Limits { certificate_check: Duration::from_millis(20), ..Limits::new(&config) };
        let served = serve(&config, limits, hello()).await;
        let later = || tokio::time::sleep(Duration::from_millis(200));
        assert_eq!(shown(&served).await, 1);
        folder.write("cert.pem", "this is no certificate");
        later().await;
        assert_eq!(shown(&served).await, 1);
        folder.write("cert.pem", PAIRS[1].0);
        later().await;
        assert_eq!(shown(&served).await, 1, "half of a renewal is no renewal");
        folder.write("key.pem", PAIRS[1].1);
        later().await;
        assert_eq!(shown(&served).await, 2);
    }
}
