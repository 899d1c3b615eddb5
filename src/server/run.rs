//! The life of a serving process: both listeners up, and an end in which nothing that was begun is cut off.

use std::{io, time::Duration};

use poem::Endpoint;
use tokio::sync::oneshot;

use super::{Admin, Bound, middleware::Guarded};

/// How long changes may run on after the last connection closed; their deadline ends them earlier.
const CHANGES_MAX: Duration = Duration::from_secs(30);

/// Serves the API and the probes until `shutdown` resolves. Then `/readyz` turns red, connections are drained, changes
/// whose clients went away come to their end, and the probes stop last.
pub async fn run<E: Endpoint + 'static>(
    api: Bound,
    app: Guarded<E>,
    probes: Bound,
    admin: Admin,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    let endpoint = admin.endpoint();
    let probing = tokio::spawn(probes.serve(endpoint, async move { stopped.await.unwrap_or_default() }));
    let in_flight = app.in_flight();
    let ending = async {
        shutdown.await;
        tracing::info!(requests = in_flight.count(), "Shutting down");
        admin.drain();
    };
    api.serve(app, ending).await?;
    if tokio::time::timeout(CHANGES_MAX, in_flight.none()).await.is_err() {
        tracing::warn!(requests = in_flight.count(), "Gave up waiting for running changes");
    }
    // The receiver is gone only when the probes have ended already.
    let _ = stop.send(());
    probing.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use poem::{EndpointExt, endpoint::make, error::NotFoundError};
    use tokio::sync::Notify;

    use super::*;
    use crate::{
        kernel::{config::Config, telemetry::recorder},
        server::{Contract, bind, bind_admin, guard},
    };

    #[tokio::test]
    async fn the_end_is_announced_and_waits_for_a_change_nobody_waits_for() {
        let config = Config::sample("[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"").server;
        let (api, probes) = (bind(&config).await.unwrap(), bind_admin(&config).await.unwrap());
        let (url, ready) = (format!("http://{}/", api.address()), format!("http://{}/readyz", probes.address()));
        let (started, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (in_started, in_go_on) = (started.clone(), go_on.clone());
        let change = make(move |_| {
            let (started, go_on) = (in_started.clone(), in_go_on.clone());
            async move {
                started.notify_one();
                go_on.notified().await;
                Ok::<_, NotFoundError>("changed")
            }
        });
        let app = guard(change.map_to_response(), Contract::new(&config), &config);
        let admin = Admin::new(recorder().unwrap().handle());
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(run(api, app, probes, admin, async move { stopped.await.unwrap_or_default() }));

        assert_eq!(reqwest::get(&ready).await.unwrap().status(), 200);
        let client = tokio::spawn(reqwest::Client::new().post(url).send());
        started.notified().await;
        client.abort();
        stop.send(()).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let body = reqwest::get(&ready).await.unwrap();
        assert_eq!((body.status().as_u16(), ended.is_finished()), (503, false));
        go_on.notify_one();
        tokio::time::timeout(Duration::from_secs(2), ended).await.unwrap().unwrap().unwrap();
    }
}
