//! For any plan and any world: a journal that is sealed at any moment gives the state back, from its snapshots and what came behind.

use opensculpt::base::time::Timestamp;
use opensculpt::journal::commit::{Journal, Open};
use opensculpt::journal::log::Opening;
use opensculpt::kernel::state::State;
use opensculpt::manifest::config::Retention;
use proptest::prelude::*;

use super::properties::{finish, goal, shapes, world};

const OPENING: Opening<'static> = Opening { workspace: "w", doing: "a test", now: Timestamp(1) };
const ALL: Retention = Retention { runs: u32::MAX, days: u32::MAX };

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn snapshot_and_tail_are_the_whole_fold(
        shapes in shapes(false),
        seed in any::<u64>(),
        seals in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let mut world = world(&shapes, seed, 5);
        world.start(goal(&shapes, 3));
        finish(&mut world);
        let dir = tempfile::tempdir().unwrap();
        let Open { mut journal, mut state, .. } = Journal::open(dir.path(), &OPENING).unwrap();
        let seals: Vec<usize> = seals.iter().map(|index| index.index(world.records.len())).collect();
        let mut last = 0;
        for (number, (at, record)) in world.records.iter().enumerate() {
            let at = Timestamp(*at);
            state.apply(at, record).unwrap();
            drop(journal.commit(at, std::slice::from_ref(record)).unwrap());
            if seals.contains(&number) {
                prop_assert_eq!(journal.seal(at, &state, ALL).unwrap(), vec![]);
                last = number + 1;
            }
        }
        drop(journal);
        let whole = world.records.iter().fold(State::default(), |mut state, (at, record)| {
            state.apply(Timestamp(*at), record).unwrap();
            state
        });
        let opened = Journal::open(dir.path(), &OPENING).unwrap();
        prop_assert_eq!(opened.opened.records, (world.records.len() - last) as u64);
        prop_assert_eq!(&opened.state, &whole);
        prop_assert_eq!(&whole, world.kernel.state());
    }
}
