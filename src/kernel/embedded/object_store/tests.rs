//! The endpoint driven by Amazon's own client, and by hand where that client is too polite.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};

use super::*;
use crate::kernel::embedded::Scratch;

pub(super) const BUCKET: &str = "files";

async fn start(dir: &Path) -> (ObjectStore, Client) {
    start_limited(dir, OBJECT_SIZE_MAX).await
}

async fn start_limited(dir: &Path, size_max: u64) -> (ObjectStore, Client) {
    let (any, secret) = (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SecretString::from("secret"));
    let store = ObjectStore::start_limited(dir, any, "key", &secret, size_max).await.unwrap();
    let client = client(&store).await;
    (store, client)
}

pub(super) async fn client(store: &ObjectStore) -> Client {
    // All defaults of the client stand here, CRC trailers included: other clients use them.
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .endpoint_url(store.endpoint())
        .force_path_style(true)
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled());
    let client = Client::from_conf(config.build());
    if client.head_bucket().bucket(BUCKET).send().await.is_err() {
        client.create_bucket().bucket(BUCKET).send().await.unwrap();
    }
    client
}

pub(super) async fn put(client: &Client, key: &str, bytes: &[u8]) {
    let body = ByteStream::from(bytes.to_vec());
    client.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
}

pub(super) async fn get(client: &Client, key: &str) -> Option<Vec<u8>> {
    let object = client.get_object().bucket(BUCKET).key(key).send().await.ok()?;
    Some(object.body.collect().await.unwrap().to_vec())
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn objects_come_back_as_they_went_and_outlive_the_process() {
    let dir = Scratch::new();
    let (store, client) = start(dir.path()).await;
    let bytes: Vec<u8> = (0..700_000u32).flat_map(u32::to_le_bytes).collect();
    let request = client.put_object().bucket(BUCKET).key("a/b").body(ByteStream::from(bytes.clone()));
    request.content_type("image/png").cache_control("no-cache").metadata("note", "36").send().await.unwrap();
    put(&client, "empty", b"").await;
    put(&client, "a/b2", b"first").await;
    put(&client, "a/b2", b"second").await;
    store.stop().await;

    let (store, client) = start(dir.path()).await;
    assert_eq!(get(&client, "a/b").await.unwrap(), bytes);
    assert_eq!(get(&client, "a/b2").await.unwrap(), b"second");
    assert_eq!(get(&client, "empty").await.unwrap(), b"");
    let head = client.head_object().bucket(BUCKET).key("a/b").send().await.unwrap();
    assert_eq!((head.content_type(), head.cache_control()), (Some("image/png"), Some("no-cache")));
    assert_eq!(head.metadata().unwrap()["note"], "36");
    assert_eq!(head.content_length(), Some(bytes.len() as i64));

    client.delete_object().bucket(BUCKET).key("a/b2").send().await.unwrap();
    client.delete_object().bucket(BUCKET).key("a/b2").send().await.unwrap();
    assert_eq!(get(&client, "a/b2").await, None);
    let full = client.delete_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(full.code(), Some("BucketNotEmpty"));
    for key in ["a/b", "empty"] {
        client.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
    }
    client.delete_bucket().bucket(BUCKET).send().await.unwrap();
    assert!(client.head_bucket().bucket(BUCKET).send().await.is_err());
    let homeless = client.put_object().bucket(BUCKET).key("a").send().await.unwrap_err();
    assert_eq!(homeless.code(), Some("NoSuchBucket"));
    assert_eq!(files(&dir.path().join("buckets")), Vec::<PathBuf>::new());
    store.stop().await;
}

#[tokio::test]
async fn ranges_and_conditions_are_those_of_rfc_9110() {
    let dir = Scratch::new();
    let (_store, client) = start(dir.path()).await;
    put(&client, "k", b"0123456789").await;
    put(&client, "empty", b"").await;
    for (range, bytes, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-30", "0123456789", "bytes 0-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
    ] {
        let part = client.get_object().bucket(BUCKET).key("k").range(range).send().await.unwrap();
        assert_eq!(part.content_range(), Some(content_range));
        assert_eq!(part.body.collect().await.unwrap().to_vec(), bytes.as_bytes(), "{range}");
    }
    for (key, range) in [("k", "bytes=10-"), ("k", "bytes=-0"), ("empty", "bytes=0-0"), ("empty", "bytes=-1")] {
        let error = client.get_object().bucket(BUCKET).key(key).range(range).send().await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 416, "{key} {range}");
    }

    let etag = client.head_object().bucket(BUCKET).key("k").send().await.unwrap().e_tag.unwrap();
    let get = || client.get_object().bucket(BUCKET).key("k");
    assert!(get().if_match(&etag).send().await.is_ok());
    let status = |answer: std::result::Result<_, aws_sdk_s3::error::SdkError<_, _>>| match answer {
        Ok(_) => 200,
        Err(error) => aws_sdk_s3::error::SdkError::raw_response(&error)
            .map_or(0, |raw: &aws_sdk_s3::config::http::HttpResponse| raw.status().as_u16()),
    };
    assert_eq!(status(get().if_none_match(&etag).send().await), 304);
    assert_eq!(status(get().if_match("\"other\"").send().await), 412);
    assert_eq!(status(get().if_none_match("\"other\"").send().await), 200);
    let (long_ago, soon) =
        (aws_sdk_s3::primitives::DateTime::from_secs(1), aws_sdk_s3::primitives::DateTime::from_secs(i64::from(u32::MAX)));
    assert_eq!(status(get().if_modified_since(soon).send().await), 304);
    assert_eq!(status(get().if_unmodified_since(long_ago).send().await), 412);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_conditional_writers_one_wins() {
    let dir = Scratch::new();
    let (_store, client) = start(dir.path()).await;
    for round in 0..5 {
        let key = format!("contested/{round}");
        let writers = (0..16u8).map(|writer| {
            let put = client.put_object().bucket(BUCKET).key(&key).if_none_match("*").body(ByteStream::from(vec![writer; 5000]));
            tokio::spawn(async move { put.send().await.map(|_| writer).map_err(|error| error.code().map(str::to_owned)) })
        });
        let (mut winners, mut refused) = (Vec::new(), 0);
        for writer in futures_util::future::join_all(writers).await {
            match writer.unwrap() {
                Ok(writer) => winners.push(writer),
                Err(code) => {
                    assert_eq!(code.as_deref(), Some("PreconditionFailed"));
                    refused += 1;
                }
            }
        }
        assert_eq!((winners.len(), refused), (1, 15));
        assert_eq!(get(&client, &key).await.unwrap(), vec![winners[0]; 5000]);
    }
    assert_eq!(files(&dir.path().join("incoming")), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_is_not_what_was_announced_is_not_stored() {
    let dir = Scratch::new();
    let (store, client) = start_limited(dir.path(), 1000).await;
    let put = |key: &str| client.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(b"bytes"));
    let (sum, md5) = ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAA==");
    assert_eq!(put("k").checksum_sha256(sum).send().await.unwrap_err().code(), Some("BadDigest"));
    assert_eq!(put("k").checksum_crc32("AAAAAA==").send().await.unwrap_err().code(), Some("BadDigest"));
    assert_eq!(put("k").content_md5(md5).send().await.unwrap_err().code(), Some("BadDigest"));
    let big = put("k").body(ByteStream::from(vec![0; 1001])).send().await.unwrap_err();
    assert_eq!(big.code(), Some("EntityTooLarge"));

    // Half a body, then the line is cut.
    let timing = PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
    let request = client.put_object().bucket(BUCKET).key("k").content_length(1000).presigned(timing).await.unwrap();
    let path = request.uri().strip_prefix(&store.endpoint()).unwrap().to_owned();
    let mut line = std::net::TcpStream::connect(store.address).unwrap();
    write!(line, "PUT {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 1000\r\n\r\nhalf", store.address).unwrap();
    while files(&dir.path().join("incoming")).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(line);
    while !files(&dir.path().join("incoming")).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(get(&client, "k").await, None);
    assert_eq!(files(&dir.path().join("buckets")), Vec::<PathBuf>::new());

    for sum in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc64Nvme, ChecksumAlgorithm::Sha1, ChecksumAlgorithm::Sha256] {
        put("k").checksum_algorithm(sum).send().await.unwrap();
    }
    assert_eq!(get(&client, "k").await.unwrap(), b"bytes");
}

#[tokio::test]
async fn a_key_is_a_name_and_never_a_path() {
    let dir = Scratch::new();
    let root = dir.path().join("deep/store");
    let (store, client) = start(&root).await;
    let keys = ["../../evil", "/etc/passwd", "a//b", "a/../b", ".", "nul\u{1}", "über/ ?#%2e%2e/&", &"k".repeat(1024)];
    for (at, key) in keys.iter().enumerate() {
        let body = ByteStream::from(vec![at as u8; 10]);
        let put = client.put_object().bucket(BUCKET).key(*key).body(body).send().await;
        // A lone `.` is folded away by HTTP clients and servers alike; it must only stay inside.
        if let Ok(_) = put
            && *key != "."
        {
            assert_eq!(get(&client, key).await.as_deref(), Some(&[at as u8; 10][..]), "{key}");
        }
    }
    assert_eq!(get(&client, "../../evil").await, Some(vec![0; 10]));
    for file in files(dir.path()) {
        let inside = file.strip_prefix(&root).unwrap().to_str().unwrap();
        assert!(inside.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'/'), "{inside}");
    }
    store.stop().await;
}

#[tokio::test]
async fn lists_come_in_order_and_in_pages() {
    let dir = Scratch::new();
    let (_store, client) = start(dir.path()).await;
    for key in ["t1/a/1", "t1/a/2", "t1/b/1", "t1/c", "t2/a/1", "t10/x"] {
        put(&client, key, key.as_bytes()).await;
    }
    let (mut keys, mut token, mut pages) = (Vec::new(), None, 0);
    loop {
        let list = client.list_objects_v2().bucket(BUCKET).prefix("t1/").max_keys(2).set_continuation_token(token);
        let page = list.send().await.unwrap();
        keys.extend(page.contents().iter().map(|object| (object.key().unwrap().to_owned(), object.size().unwrap())));
        pages += 1;
        token = page.next_continuation_token().map(str::to_owned);
        if page.is_truncated() != Some(true) {
            break;
        }
    }
    let expected = ["t1/a/1", "t1/a/2", "t1/b/1", "t1/c"].map(|key| (key.to_owned(), key.len() as i64));
    assert_eq!((keys, pages), (expected.to_vec(), 2));

    let folders = client.list_objects_v2().bucket(BUCKET).prefix("t1/").delimiter("/").send().await.unwrap();
    let common: Vec<_> = folders.common_prefixes().iter().filter_map(|it| it.prefix()).collect();
    assert_eq!((common, folders.contents()[0].key()), (vec!["t1/a/", "t1/b/"], Some("t1/c")));
    let after = client.list_objects_v2().bucket(BUCKET).start_after("t10/x").send().await.unwrap();
    assert_eq!(after.contents()[0].key(), Some("t2/a/1"));
    let bad = client.list_objects_v2().bucket(BUCKET).continuation_token("ü").send().await.unwrap_err();
    assert_eq!(bad.code(), Some("InvalidArgument"));
}

#[tokio::test]
async fn a_copy_is_an_object_of_its_own() {
    let dir = Scratch::new();
    let (_store, client) = start(dir.path()).await;
    let bytes = vec![7; 300_000];
    let request = client.put_object().bucket(BUCKET).key("from/ü").body(ByteStream::from(bytes.clone()));
    request.content_type("image/png").send().await.unwrap();
    let copy = client.copy_object().bucket(BUCKET).key("to").copy_source(format!("{BUCKET}/from/%C3%BC"));
    copy.send().await.unwrap();
    client.delete_object().bucket(BUCKET).key("from/ü").send().await.unwrap();
    assert_eq!(get(&client, "to").await.unwrap(), bytes);
    let head = client.head_object().bucket(BUCKET).key("to").send().await.unwrap();
    assert_eq!(head.content_type(), Some("image/png"));
    let missing = client.copy_object().bucket(BUCKET).key("to").copy_source("files/none").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchKey"));
}

#[tokio::test]
async fn parts_become_one_object_or_none() {
    let dir = Scratch::new();
    let (store, client) = start(dir.path()).await;
    let id = client.create_multipart_upload().bucket(BUCKET).key("big").content_type("application/dicom").send().await;
    let id = id.unwrap().upload_id.unwrap();
    let upload = async |client: &Client, number: i32, bytes: Vec<u8>| {
        let part = client.upload_part().bucket(BUCKET).key("big").upload_id(&id).part_number(number);
        let etag = part.body(ByteStream::from(bytes)).send().await.unwrap().e_tag.unwrap();
        CompletedPart::builder().part_number(number).e_tag(etag).build()
    };
    let first = upload(&client, 1, vec![1; 5 * 1024 * 1024]).await;
    store.stop().await;
    let (store, client) = start(dir.path()).await;
    let last = upload(&client, 3, vec![3; 10]).await;
    let replaced = upload(&client, 2, vec![9; 10]).await;
    let second = upload(&client, 2, vec![2; 5 * 1024 * 1024]).await;

    let parts = client.list_parts().bucket(BUCKET).key("big").upload_id(&id).max_parts(2).send().await.unwrap();
    let seen: Vec<_> = parts.parts().iter().filter_map(|part| Some((part.part_number()?, part.size()?))).collect();
    assert_eq!((seen, parts.is_truncated()), (vec![(1, 5 << 20), (2, 5 << 20)], Some(true)));
    let complete = async |id: &str, key: &str, parts: &[&CompletedPart]| {
        let parts = parts.iter().fold(CompletedMultipartUpload::builder(), |all, part| all.parts((*part).clone()));
        let complete = client.complete_multipart_upload().bucket(BUCKET).key(key).upload_id(id);
        let answer = complete.multipart_upload(parts.build()).send().await;
        answer.map(|done| done.e_tag.unwrap()).map_err(|error| error.code().unwrap_or_default().to_owned())
    };
    assert_eq!(complete(&id, "big", &[&second, &first]).await, Err("InvalidPartOrder".to_owned()));
    assert_eq!(complete(&id, "big", &[&first, &replaced, &last]).await, Err("InvalidPart".to_owned()));
    assert_eq!(complete(&id, "big", &[&last, &first]).await, Err("InvalidPartOrder".to_owned()));
    assert_eq!(complete(&id, "other", &[&first]).await, Err("NoSuchUpload".to_owned()));
    assert_eq!(complete("../../buckets", "big", &[&first]).await, Err("NoSuchUpload".to_owned()));
    assert_eq!(get(&client, "big").await, None);

    let etag = complete(&id, "big", &[&first, &second, &last]).await.unwrap();
    assert!(etag.ends_with("-3\""), "{etag}");
    let whole: Vec<u8> = [vec![1; 5 << 20], vec![2; 5 << 20], vec![3; 10]].concat();
    assert!(get(&client, "big").await.unwrap() == whole);
    assert_eq!(complete(&id, "big", &[&first]).await, Err("NoSuchUpload".to_owned()));

    let other = client.create_multipart_upload().bucket(BUCKET).key("gone").send().await.unwrap().upload_id.unwrap();
    client.abort_multipart_upload().bucket(BUCKET).key("gone").upload_id(&other).send().await.unwrap();
    assert_eq!(complete(&other, "gone", &[&first]).await, Err("NoSuchUpload".to_owned()));
    assert_eq!(files(&dir.path().join("uploads")), Vec::<PathBuf>::new());
    store.stop().await;
}

#[tokio::test]
async fn a_folder_and_a_port_have_one_owner() {
    let (dir, other) = (Scratch::new(), Scratch::new());
    let (store, _client) = start(dir.path()).await;
    let secret = SecretString::from("secret");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let second = ObjectStore::start(dir.path(), any, "key", &secret).await.unwrap_err();
    assert!(second.to_string().ends_with("is in use by another running Enamel."), "{second}");
    let taken = ObjectStore::start(other.path(), store.address, "key", &secret).await.unwrap_err();
    assert!(taken.to_string().contains("it is taken by another program"), "{taken}");
    let open = ObjectStore::start(other.path(), ([0, 0, 0, 0], 0).into(), "key", &secret).await.unwrap_err();
    assert!(open.to_string().contains("loopback"), "{open}");
    store.stop().await;
    let again = ObjectStore::start(dir.path(), any, "key", &secret).await.unwrap();
    again.stop().await;
}

/// The process is killed with bytes on the disk and no name shown: a twin of this test, started as a program of its
/// own, holds an upload half done until it dies.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_cut_by_kill_leaves_nothing_visible() {
    let dir = Scratch::new();
    let program = std::env::current_exe().unwrap();
    let mut twin = std::process::Command::new(program)
        .args(["--exact", "kernel::embedded::object_store::tests::the_twin_that_is_killed", "--nocapture"])
        .env("ENAMEL_TEST_TWIN", dir.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let incoming = dir.path().join("incoming");
    let written = || files(&incoming).iter().map(|file| file.metadata().unwrap().len()).sum::<u64>();
    while !incoming.exists() || written() < 1000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    twin.kill().unwrap();
    twin.wait().unwrap();
    assert!(written() >= 1000, "the kill left the bytes behind, or this test proves nothing");

    let (store, client) = start(dir.path()).await;
    assert_eq!(files(&incoming), Vec::<PathBuf>::new());
    assert_eq!(get(&client, "half").await, None);
    assert_eq!(get(&client, "whole").await.unwrap(), b"acknowledged before the kill");
    assert_eq!(client.list_objects_v2().bucket(BUCKET).send().await.unwrap().key_count(), Some(1));
    store.stop().await;
}

#[tokio::test]
async fn the_twin_that_is_killed() {
    let Some(dir) = std::env::var_os("ENAMEL_TEST_TWIN") else { return };
    let (store, client) = start(Path::new(&dir)).await;
    put(&client, "whole", b"acknowledged before the kill").await;
    let timing = PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
    let request = client.put_object().bucket(BUCKET).key("half").content_length(2000).presigned(timing).await.unwrap();
    let path = request.uri().strip_prefix(&store.endpoint()).unwrap().to_owned();
    let mut line = std::net::TcpStream::connect(store.address).unwrap();
    write!(line, "PUT {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 2000\r\n\r\n", store.address).unwrap();
    line.write_all(&[1; 1500]).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}
