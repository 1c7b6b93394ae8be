//! The carrier of a voyage: it answers what it was asked for, in any order, and keeps its books.
use super::super::carrier::*;
use super::super::*;
use super::Voyage;
use super::steps::Answer;
use crate::canonical::ShipmentId;
use crate::canonical::job::NewJob;
use crate::canonical::problem::Class;
use crate::canonical::shipment::ShipmentStatus as S;

impl Voyage {
    pub(super) fn answers(&mut self, n: usize, answer: Answer) {
        if n >= self.books.open.len() {
            return;
        }
        let job = self.books.open.remove(n);
        let shipment_id: ShipmentId =
            serde_json::from_value(job.input["shipment"]["id"].clone()).unwrap();
        let state = self.world.state.as_ref().unwrap();
        if job.kind == "shipment.cancel" {
            if crate::flow::void_wanted(state, shipment_id) {
                self.cancels(&job, shipment_id, answer);
            }
            return;
        }
        let number: u32 =
            serde_json::from_value(job.input["shipment"]["request_number"].clone()).unwrap();
        match crate::flow::wanted(state, shipment_id, number) {
            crate::flow::Wanted::Ask | crate::flow::Wanted::Withdrawn => {}
            // What workers do not send.
            other => return assert!(self.rogue, "a request that nobody sends: {other:?}"),
        }
        self.answers_about(shipment_id, answer);
    }

    /// Its answer to a request for a label.
    fn answers_about(&mut self, shipment_id: ShipmentId, answer: Answer) {
        let parcels = self.find(shipment_id).parcels.len();
        match answer {
            Answer::Bought | Answer::WithoutPapers => {
                let papers = || {
                    if matches!(answer, Answer::Bought) {
                        vec![pdf()]
                    } else {
                        vec![]
                    }
                };
                let labels: Vec<_> = (0..parcels)
                    .map(|_| label(&self.number(), papers()))
                    .collect();
                self.fact(CarrierFact::Labels {
                    shipment_id,
                    parcel: None,
                    labels,
                });
                self.fact(CarrierFact::Complete { shipment_id });
            }
            Answer::InPart if parcels > 1 => {
                let labels = vec![label(&self.number(), vec![pdf()])];
                self.fact(CarrierFact::Labels {
                    shipment_id,
                    parcel: Some(0),
                    labels,
                });
                self.fact(CarrierFact::Failed {
                    shipment_id,
                    failure: refusal(Class::Rejected),
                });
            }
            Answer::InPart | Answer::Refused => {
                self.fact(CarrierFact::Failed {
                    shipment_id,
                    failure: refusal(Class::Invalid),
                });
            }
            Answer::Lost(bought) => {
                self.books.secret.insert(shipment_id, bought);
                self.fact(CarrierFact::Unknown {
                    shipment_id,
                    failure: refusal(Class::Ambiguous),
                });
            }
        }
    }
    pub(super) fn cancels(&mut self, job: &NewJob, shipment_id: ShipmentId, answer: Answer) {
        let numbers: Vec<String> =
            serde_json::from_value(job.input["tracking_numbers"].clone()).unwrap();
        assert!(!numbers.is_empty());
        if matches!(answer, Answer::Refused) {
            self.books.kept.extend(numbers);
            self.fact(CarrierFact::VoidRefused {
                shipment_id,
                failure: refusal(Class::Rejected),
            });
        } else {
            for number in numbers {
                assert!(self.books.valid.contains_key(&number));
                self.books.valid.insert(number, false);
            }
            self.fact(CarrierFact::Voided {
                shipment_id,
                note: None,
            });
        }
    }
    pub(super) fn resolve(&mut self, id: ShipmentId) {
        let Some(bought) = self.books.secret.get(&id).copied() else {
            return;
        };
        let parcels = self.find(id).parcels.len();
        if self.find(id).status != S::OutcomeUnknown {
            return;
        }
        let outcome = if bought {
            let tracking_numbers = (0..parcels).map(|_| self.number()).collect();
            Resolution::Purchased { tracking_numbers }
        } else {
            Resolution::NotPurchased
        };
        if self.run(Command::ResolveShipment { id, outcome }) {
            self.books.secret.remove(&id);
        }
    }
    pub(super) fn rogue(&mut self, shipment_id: ShipmentId, what: u8) {
        if self.find(shipment_id).connection_id.is_none() {
            return;
        }
        let failure = refusal(Class::Rejected);
        let fact = match what {
            0 => CarrierFact::Complete { shipment_id },
            1 => CarrierFact::Failed {
                shipment_id,
                failure,
            },
            2 => CarrierFact::Unknown {
                shipment_id,
                failure,
            },
            3 => CarrierFact::Voided {
                shipment_id,
                note: None,
            },
            4 => CarrierFact::VoidRefused {
                shipment_id,
                failure,
            },
            _ => {
                let labels = vec![label(&self.number(), vec![pdf()])];
                CarrierFact::Labels {
                    shipment_id,
                    parcel: None,
                    labels,
                }
            }
        };
        self.rogue = true;
        self.fact(fact);
    }
}
