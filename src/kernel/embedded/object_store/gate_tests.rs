//! What s3s alone would let in, and the gate does not. The twin without a gate shows that each attack works.

use std::net::Ipv4Addr;

use aws_lc_rs::hmac;
use aws_sdk_s3::presigning::PresigningConfig;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::tests::{BUCKET, client, get, put};
use super::*;
use crate::kernel::embedded::Scratch;

/// The endpoint as it would be without [`Gate`]'s rules, beyond that a signature is needed.
async fn naive(dir: &Path) -> ObjectStore {
    let (folders, claim) = open(dir).await.unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut builder = S3ServiceBuilder::new(Backend::new(folders, OBJECT_SIZE_MAX));
    builder.set_auth(SimpleAuth::from_single("key", "secret"));
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(serve(listener, builder.build(), stopped, claim));
    ObjectStore { address, stop, serving: Some(serving) }
}

async fn gated(dir: &Path) -> ObjectStore {
    ObjectStore::start(dir, (Ipv4Addr::LOCALHOST, 0).into(), "key", &SecretString::from("secret")).await.unwrap()
}

#[tokio::test]
async fn a_signed_upload_cannot_be_turned_into_a_copy_of_anothers_object() {
    let (twin, dir) = (Scratch::new(), Scratch::new());
    for (store, status) in [(naive(twin.path()).await, 200), (gated(dir.path()).await, 403)] {
        let client = client(&store).await;
        put(&client, "theirs", b"an X-ray of another clinic").await;
        let timing = PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
        let mine = client.put_object().bucket(BUCKET).key("mine").presigned(timing).await.unwrap();
        let request = reqwest::Client::new().put(mine.uri()).header("x-amz-copy-source", format!("{BUCKET}/theirs"));
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
        assert_eq!(get(&client, "mine").await.is_some(), status == 200);
        let honest = reqwest::Client::new().put(mine.uri()).body("mine").send().await.unwrap();
        assert_eq!(honest.status().as_u16(), 200);
    }
}

#[tokio::test]
async fn the_older_signature_is_refused() {
    let (twin, dir) = (Scratch::new(), Scratch::new());
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"secret");
    for (store, status) in [(naive(twin.path()).await, 200), (gated(dir.path()).await, 403)] {
        put(&client(&store).await, "k", b"bytes").await;
        let expires = files::now_s() + 60;
        let sign = |text: String| STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        let by_url = sign(format!("GET\n\n\n{expires}\n/{BUCKET}/k")).replace('+', "%2B").replace('/', "%2F");
        let url = format!("{}/{BUCKET}/k", store.endpoint());
        let signed = format!("{url}?AWSAccessKeyId=key&Expires={expires}&Signature={}", by_url.replace('=', "%3D"));
        let http = reqwest::Client::new();
        assert_eq!(http.get(signed).send().await.unwrap().status().as_u16(), status, "in the URL");

        let date = "Fri, 01 Jan 2016 00:00:00 GMT";
        let by_header = format!("AWS key:{}", sign(format!("GET\n\n\n{date}\n/{BUCKET}/k")));
        let answer = http.get(url).header("date", date).header("authorization", by_header).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "in a header, ten years old");
    }
}

#[tokio::test]
async fn a_form_upload_is_refused_before_it_is_read() {
    let dir = Scratch::new();
    let store = gated(dir.path()).await;
    let form = "--x\r\ncontent-disposition: form-data; name=\"key\"\r\n\r\nk\r\n--x\r\n\
                content-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nbytes\r\n--x--\r\n";
    let request = reqwest::Client::new().post(format!("{}/{BUCKET}", store.endpoint())).body(form);
    let answer = request.header("content-type", "multipart/form-data; boundary=x").send().await.unwrap();
    assert!(answer.status().is_client_error(), "{}", answer.status());
}
