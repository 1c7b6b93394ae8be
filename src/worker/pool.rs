//! The mapping pool: threads of its own with large stacks, so that a deep payload or a long mapping
//! neither blows a stack nor holds up the network's threads.
//!
//! What always holds: results come back in the order of the items; a panic costs one item, never a
//! thread or its neighbours.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

type Task = Box<dyn FnOnce() + Send>;

/// The stack of each thread: address space, touched only as far as a mapping recurses.
const STACK: usize = 64 << 20;

/// Threads that map. Dropping it lets them end what they have.
#[derive(Debug)]
pub struct MappingPool {
    tasks: Mutex<Option<Sender<Task>>>,
    threads: Vec<JoinHandle<()>>,
}

impl MappingPool {
    /// A pool of so many threads (at least one).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let (sender, receiver) = channel::<Task>();
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..threads.max(1))
            .map(|n| {
                let receiver = receiver.clone();
                std::thread::Builder::new()
                    .name(format!("mapping-{n}"))
                    .stack_size(STACK)
                    .spawn(move || work(&receiver))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            tasks: Mutex::new(Some(sender)),
            threads,
        })
    }

    /// Runs `each` on every item; `None` where it panicked (or the pool is closing).
    pub async fn map<T, R>(
        &self,
        items: Arc<Vec<T>>,
        each: impl Fn(&T) -> R + Send + Sync + 'static,
    ) -> Vec<Option<R>>
    where
        T: Send + Sync + 'static,
        R: Send + 'static,
    {
        let total = items.len();
        // Chunks of several items cost less hand-over; several chunks a thread even out the work.
        let chunk = total.div_ceil(self.threads.len() * 4).max(1);
        let each = Arc::new(each);
        let mut waiting = Vec::with_capacity(total.div_ceil(chunk));
        for start in (0..total).step_by(chunk) {
            let end = (start + chunk).min(total);
            let (done, result) = oneshot::channel();
            let (items, each) = (items.clone(), each.clone());
            self.submit(Box::new(move || {
                let slice = items.get(start..end).unwrap_or_default();
                let results: Vec<Option<R>> = slice
                    .iter()
                    .map(|item| catch_unwind(AssertUnwindSafe(|| each(item))).ok())
                    .collect();
                let _ = done.send(results);
            }));
            waiting.push((end - start, result));
        }
        let mut results = Vec::with_capacity(total);
        for (count, result) in waiting {
            match result.await {
                Ok(part) => results.extend(part),
                Err(_) => results.extend((0..count).map(|_| None)),
            }
        }
        results
    }

    fn submit(&self, task: Task) {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = tasks.as_ref() {
            // A closed channel drops the task, which the waiting side sees.
            let _ = sender.send(task);
        }
    }
}

impl Drop for MappingPool {
    fn drop(&mut self) {
        *self.tasks.lock().unwrap_or_else(PoisonError::into_inner) = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn work(receiver: &Mutex<Receiver<Task>>) {
    loop {
        let next = receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match next {
            Ok(task) => task(),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn order_is_kept_and_a_panic_costs_one_item() {
        let pool = MappingPool::new(3).unwrap();
        let items: Arc<Vec<u32>> = Arc::new((0..100).collect());
        let results = pool
            .map(items, |n| {
                assert!(*n != 41, "a poison item");
                n * 2
            })
            .await;
        let expected: Vec<Option<u32>> = (0..100).map(|n| (n != 41).then_some(n * 2)).collect();
        assert_eq!(results, expected);
        // The threads live on.
        assert_eq!(pool.map(Arc::new(vec![1]), |n| n + 1).await, [Some(2)]);
        assert!(
            pool.map(Arc::new(Vec::<u8>::new()), |n| *n)
                .await
                .is_empty()
        );
    }
}
