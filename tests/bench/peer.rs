//! Another FHIR server on the same machine in the same run: the marks of requests a second are so many times the fastest
//! public server's, and how fast that is depends on the machine.

use crate::fhir::{self, OBSERVATIONS, PATIENTS, Records, SEARCHES, STREAMS};
use crate::house::Serving;
use crate::load::{self, Load};
use crate::people::{Clinic, People, patient_id};
use crate::stand::{Limit, Stand, median};
use crate::{CONNECTIONS, Size};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::slice::from_ref;
use std::time::Instant;

/// Families, as often as each other; the search for those that begin with `m` finds pages of them.
const FAMILIES: [&str; 10] = ["Becker", "Fischer", "Hoffmann", "Keller", "Maier", "Meyer", "Neumann", "Schmidt", "Vogel", "Wagner"];
/// Entries of one transaction of ours to it.
const ENTRIES: usize = 100;

pub struct Peer {
    address: SocketAddr,
}

/// What both are asked, and how many times the other's speed ours must be.
struct Work {
    what: String,
    load: Load,
    connections: usize,
    times: f64,
}

impl Peer {
    pub fn named() -> Option<Peer> {
        let address = std::env::var("BENCH_PEER").ok()?;
        Some(Peer { address: address.parse().expect("BENCH_PEER is host:port") })
    }

    /// Side by side, taking turns. What is asked of ours is searched among all its records, the other has these alone.
    pub async fn measure(&self, stand: &mut Stand, people: &People, server: &Serving, clinic: &Clinic, size: Size) {
        let theirs = Clinic { patients: PATIENTS.min(clinic.patients), ..clinic.clone() };
        let Records { bodies, each, named } = fhir::records();
        self.fill(stand, &theirs, &named).await;
        let own = from_ref(clinic);
        let mut all =
            vec![Work { what: "reads of a patient".into(), load: Load::reads(server, own), connections: CONNECTIONS, times: 1.3 }];
        for search in SEARCHES.iter().filter(|search| search.least.is_some()) {
            let load = Load::page(server, clinic, &format!("/fhir/r4/{}", search.path));
            all.push(Work { what: format!("search by {}", search.name), load, connections: CONNECTIONS, times: 3.0 });
        }
        let observation = fhir::observation("PATIENT_ID", 3).to_string();
        for (what, load, connections, times) in [
            (
                "creates of a Patient",
                Load::posts(server, own, "/fhir/r4/Patient", vec![fhir::patient("Neumann").to_string()]),
                CONNECTIONS,
                3.0,
            ),
            ("creates of an Observation", Load::posts(server, own, "/fhir/r4/Observation", vec![observation]), CONNECTIONS, 3.0),
            ("updates of a Patient", Load::updates(server, own), CONNECTIONS, 3.0),
            ("transactions of whole records", Load::posts(server, own, "/fhir/r4", bodies), STREAMS, 2.3),
        ] {
            all.push(Work { what: what.into(), load, connections, times });
        }
        for Work { what, load, connections, times } in all {
            let elsewhere = load.clone().elsewhere(self.address, &theirs);
            let (mut ratios, mut rates) = (Vec::new(), [Vec::new(), Vec::new()]);
            for _ in 0..size.rounds {
                people.settle().await;
                let ours = load::run(&load, connections, size.seconds / 2.0).await.rate;
                let others = load::run(&elsewhere, connections, size.seconds / 2.0).await.rate;
                ratios.push(ours / others);
                rates[0].push(ours);
                rates[1].push(others);
            }
            stand.judge(&format!("{what} by FHIR, of the other server"), median(ratios), "×", Limit::AtLeast(times));
            let [ours, others] = rates.map(median);
            let unit = if connections == STREAMS { each } else { 1.0 };
            stand.note(format!("{:.0}/s against {:.0}/s", ours * unit, others * unit));
        }
    }

    /// The patients and Observations that ours has been given, and whom whole records name.
    async fn fill(&self, stand: &Stand, clinic: &Clinic, named: &[Value]) {
        let began = Instant::now();
        let put = |n: u64| {
            let id = patient_id(clinic.first + n);
            let mut resource = fhir::patient(FAMILIES[(n % 10) as usize]);
            resource["id"] = json!(id);
            json!({"request": {"method": "PUT", "url": format!("Patient/{id}")}, "resource": resource})
        };
        let observed = |n: u64| {
            let resource = fhir::observation(&patient_id(clinic.first + n % clinic.patients), n / clinic.patients + n);
            json!({"request": {"method": "POST", "url": "Observation"}, "resource": resource})
        };
        let patients: Vec<Value> = (0..clinic.patients).map(put).collect();
        let observations: Vec<Value> = (0..clinic.patients * OBSERVATIONS).map(observed).collect();
        for entries in patients.chunks(ENTRIES).chain(observations.chunks(ENTRIES)) {
            self.post("", &json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})).await;
        }
        for one in named {
            self.post(one["resourceType"].as_str().unwrap(), one).await;
        }
        let count = patients.len() + observations.len();
        stand.note(format!("the other server took {count} resources in {:.0} s", began.elapsed().as_secs_f64()));
    }

    async fn post(&self, path: &str, body: &Value) {
        let answer = reqwest::Client::new().post(format!("http://{}/{path}", self.address)).json(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{text}");
    }
}
