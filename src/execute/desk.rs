//! Where runs report and orders go out: the one listener, and what it wants of each run.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use tokio::sync::Notify;

use super::Listener;
use crate::model::{Control, RunEvent, Trial};

/// What is wanted of a run; a later one is never weaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Go on.
    #[default]
    Go,
    /// End: what it can show was seen.
    Stop,
    /// End: the audit was interrupted.
    Interrupt,
    /// End at once.
    Kill,
}

/// The orders of one run, and the bell that rings when they change.
#[derive(Default)]
pub struct Orders {
    order: Cell<Order>,
    bell: Notify,
}

impl Orders {
    /// What is wanted now.
    pub fn current(&self) -> Order {
        self.order.get()
    }

    /// Waits until something else is wanted.
    pub async fn changed(&self) {
        self.bell.notified().await;
    }

    fn give(&self, order: Order) {
        if order > self.order.get() {
            self.order.set(order);
            self.bell.notify_one();
        }
    }
}

/// Where runs report and orders go out.
pub struct Desk<'a> {
    listener: RefCell<&'a mut dyn Listener>,
    orders: HashMap<String, Rc<Orders>>,
    closed: Cell<bool>,
}

impl<'a> Desk<'a> {
    /// A desk for these trials.
    pub fn new(trials: &[Trial], listener: &'a mut dyn Listener) -> Self {
        let orders = trials.iter().map(|trial| (trial.run.clone(), Rc::default())).collect();
        Self { listener: RefCell::new(listener), orders, closed: Cell::new(false) }
    }

    /// The orders of a run.
    pub fn orders(&self, run: &str) -> Rc<Orders> {
        self.orders.get(run).cloned().unwrap_or_default()
    }

    /// Tells the listener, and gives out what it wants.
    pub fn tell(&self, event: &RunEvent<'_>) {
        let control = self.listener.borrow_mut().on(event);
        match control {
            Control::Continue => {}
            Control::Stop(runs) => {
                for orders in runs.iter().filter_map(|run| self.orders.get(run)) {
                    orders.give(Order::Stop);
                }
            }
            Control::StopAll => self.close(),
        }
    }

    /// Stops every run, and lets no other one start.
    pub fn close(&self) {
        self.closed.set(true);
        self.give_all(Order::Stop);
    }

    /// The same order for every run.
    pub fn give_all(&self, order: Order) {
        for orders in self.orders.values() {
            orders.give(order);
        }
    }

    /// Whether the listener has stopped everything.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }
}
