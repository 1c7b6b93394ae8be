//! The packers: ship what is submitted of the shops that are polled, by label of a simulated courier,
//! ask again under the same reference until they are answered, and hand over what has a label.

use super::client::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// Before a packer asks again.
const AGAIN: Duration = Duration::from_millis(150);

/// The couriers come after so many orders.
const HAND_OVER: usize = 4;

/// A courier's account of each merchant that has some, in turns.
pub type Accounts = BTreeMap<String, Vec<String>>;

pub struct Packer {
    client: Client,
    accounts: Accounts,
    /// Asked and not answered yet: part and account.
    open: Mutex<BTreeMap<String, String>>,
    pub shipped: Mutex<BTreeMap<String, String>>,
    pub wrong: Mutex<Vec<String>>,
}

impl Packer {
    pub fn new(client: Client, accounts: Accounts) -> Arc<Self> {
        Arc::new(Self {
            client,
            accounts,
            open: Mutex::default(),
            shipped: Mutex::default(),
            wrong: Mutex::default(),
        })
    }

    /// The couriers take what has a label; whether that was answered does not matter.
    pub async fn hand_over(&self) {
        for account in self.accounts.values().flatten() {
            let body = json!({"carrier_connection_id": account, "handed_over": true});
            self.client.call("POST", "/v1/manifests", &body).await;
        }
    }

    pub fn open(&self) -> usize {
        self.open.lock().unwrap().len()
    }

    /// Works until nobody tells of events any more.
    pub async fn run(self: Arc<Self>, mut events: mpsc::UnboundedReceiver<Value>) {
        let mut turn = 0;
        while let Some(event) = events.recv().await {
            if event["type"] != "fulfillment_order.submitted" {
                continue;
            }
            let merchant = event["merchant_id"].as_str().unwrap();
            let Some(accounts) = self.accounts.get(merchant) else {
                continue;
            };
            turn += 1;
            let account = accounts[turn % accounts.len()].clone();
            let part = event["data"]["fulfillment_order"]["id"].as_str().unwrap();
            let part = part.to_owned();
            if turn % HAND_OVER == 0 {
                let packer = self.clone();
                tokio::spawn(async move { packer.hand_over().await });
            }
            let fresh = {
                let mut open = self.open.lock().unwrap();
                let known = self.shipped.lock().unwrap().contains_key(&part);
                !known && open.insert(part.clone(), account.clone()).is_none()
            };
            if fresh {
                tokio::spawn(self.clone().ship(part, account));
            }
        }
    }

    async fn ship(self: Arc<Self>, part: String, account: String) {
        let path = format!("/v1/fulfillment-orders/{part}/ship?wait=0");
        let body = json!({"shipment_ref": format!("W-{part}"), "parcels": [{"weight_g": 900}], "carrier_connection_id": account});
        loop {
            match self.client.call("POST", &path, &body).await {
                Some((200..=202, shipment)) => {
                    let id = shipment["id"].as_str().unwrap().to_owned();
                    self.shipped.lock().unwrap().insert(part.clone(), id);
                    break;
                }
                // Not now; the same request is under way.
                None | Some((503 | 408, _)) => {}
                Some((409, said)) if said["code"] == "request_pending" => {}
                Some((status, said)) => {
                    let wrong = format!("ship {part}: {status} {said}");
                    self.wrong.lock().unwrap().push(wrong);
                    break;
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
        self.open.lock().unwrap().remove(&part);
    }
}
