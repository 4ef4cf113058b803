package sched

import "container/heap"

// queue orders the volumes that wait for the array by start tags (mClock's
// proportional-share tags, Gulati et al., OSDI 2010 §3): a volume that was
// served lines up behind by what it took over its weight. One that comes back
// after a while gets no better tag than those who stayed.
type queue struct {
	claims  []*claim
	weights int64 // sum over the claims
	virtual int64 // the latest start tag that was served
	arrived uint64
}

// claim is a volume's place in a queue. Array.mu guards it.
type claim struct {
	volume        *Volume
	weight        int64 // IOPS
	need          int64 // cost of what it waits for
	start, finish int64 // tags
	arrived       uint64
	waits         bool
	index         int // in the heap, where it waits
}

// tagBits keep the fraction of cost over weight.
const tagBits = 20

// join lines c up, or puts its weight and need right where it waits already.
func (q *queue) join(c *claim, weight, need int64) {
	if c.waits && c.weight == weight && c.need == need {
		return
	}
	q.leave(c)
	if c.weight != weight {
		c.finish = q.virtual // what it took by its old weight says nothing
	}
	q.arrived++
	c.weight, c.need, c.arrived, c.waits = weight, need, q.arrived, true
	c.start = max(q.virtual, c.finish)
	q.weights += weight
	heap.Push(q, c)
}

// leave takes c out, wherever it is.
func (q *queue) leave(c *claim) {
	if c.waits {
		heap.Remove(q, c.index)
	}
}

// first is who is served next.
func (q *queue) first() *claim { return q.claims[0] }

// serve takes the first out and charges it.
func (q *queue) serve(cost int64) {
	c := q.first()
	q.leave(c)
	q.virtual = max(q.virtual, c.start)
	c.finish = c.start + cost<<tagBits/c.weight
}

// Len, Less, Swap, Push and Pop are heap.Interface.
func (q *queue) Len() int { return len(q.claims) }

func (q *queue) Less(i, j int) bool {
	a, b := q.claims[i], q.claims[j]
	return a.start < b.start || a.start == b.start && a.arrived < b.arrived
}

func (q *queue) Swap(i, j int) {
	q.claims[i], q.claims[j] = q.claims[j], q.claims[i]
	q.claims[i].index, q.claims[j].index = i, j
}

func (q *queue) Push(x any) {
	c := x.(*claim)
	c.index = len(q.claims)
	q.claims = append(q.claims, c)
}

func (q *queue) Pop() any {
	last := len(q.claims) - 1
	c := q.claims[last]
	q.claims[last] = nil
	q.claims = q.claims[:last]
	q.weights -= c.weight
	c.waits = false
	return c
}
