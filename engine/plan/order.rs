//! A topological order that keeps the manifest's where it can: of all that may come next, the one that is written first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graph::{DiGraph, NodeIndex};

/// What must come before what: an edge leads from the earlier to the later.
pub(super) type Graph = DiGraph<(), ()>;

/// A graph of so many nodes and no edges yet.
pub(super) fn nodes(count: usize) -> Graph {
    let mut graph = Graph::with_capacity(count, count);
    for _ in 0..count {
        graph.add_node(());
    }
    graph
}

/// The nodes, each after all that must come before it; the smallest key first where there is a choice.
///
/// # Errors
/// A cycle: each of its nodes needs the next, the last needs the first.
pub(super) fn topological<K: Ord>(graph: &Graph, key: impl Fn(usize) -> K) -> Result<Vec<usize>, Vec<usize>> {
    let mut missing: Vec<usize> = graph.node_indices().map(|node| graph.neighbors_directed(node, Incoming).count()).collect();
    let entry = |node: NodeIndex| Reverse((key(node.index()), node.index()));
    let mut free: BinaryHeap<_> = graph.node_indices().filter(|node| missing[node.index()] == 0).map(entry).collect();
    let mut order = Vec::with_capacity(missing.len());
    while let Some(Reverse((_, node))) = free.pop() {
        order.push(node);
        for later in graph.neighbors_directed(NodeIndex::new(node), Outgoing) {
            missing[later.index()] -= 1;
            if missing[later.index()] == 0 {
                free.push(entry(later));
            }
        }
    }
    if order.len() == missing.len() { Ok(order) } else { Err(cycle(graph, &missing)) }
}

/// A cycle among the nodes that are still missing something. Each of them has a predecessor among them, so a walk backwards comes round.
fn cycle(graph: &Graph, missing: &[usize]) -> Vec<usize> {
    let mut walk: Vec<usize> = Vec::new();
    let mut next = missing.iter().position(|count| *count > 0);
    while let Some(node) = next {
        if let Some(from) = walk.iter().position(|seen| *seen == node) {
            walk.drain(..from);
            // From the node that is written first, so that the same cycle is always told the same way.
            let first = (0..walk.len()).min_by_key(|at| walk[*at]).unwrap_or(0);
            walk.rotate_left(first);
            break;
        }
        walk.push(node);
        let earlier = graph.neighbors_directed(NodeIndex::new(node), Incoming).map(NodeIndex::index);
        next = earlier.filter(|earlier| missing[*earlier] > 0).min();
    }
    walk
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(count: usize, edges: &[(usize, usize)]) -> Graph {
        let mut graph = nodes(count);
        for (earlier, later) in edges {
            graph.add_edge(NodeIndex::new(*earlier), NodeIndex::new(*later), ());
        }
        graph
    }

    #[test]
    fn keeps_the_written_order_where_it_can() {
        assert_eq!(topological(&graph(4, &[]), |node| node), Ok(vec![0, 1, 2, 3]));
        assert_eq!(topological(&graph(4, &[(3, 0)]), |node| node), Ok(vec![1, 2, 3, 0]));
        assert_eq!(topological(&graph(3, &[(0, 1), (0, 1), (1, 2)]), |node| node), Ok(vec![0, 1, 2]));
        assert_eq!(topological(&graph(3, &[]), Reverse), Ok(vec![2, 1, 0]));
    }

    #[test]
    fn names_a_cycle_and_nothing_beside_it() {
        // 0 waits for the cycle 3 → 1 → 2 → 3, but is not in it.
        assert_eq!(topological(&graph(4, &[(3, 1), (1, 2), (2, 3), (3, 0)]), |node| node), Err(vec![1, 3, 2]));
        assert_eq!(topological(&graph(2, &[(1, 1)]), |node| node), Err(vec![1]));
    }
}
