package store

import (
	"context"
	"errors"
)

const (
	// copyBlocks is what is copied while writes wait: 256 KiB.
	copyBlocks = paceBytes / blockSize
	// syncEvery bounds what a crash has copied again, bytes.
	syncEvery = 64 << 20
)

// drainTop moves the blocks of a top layer, which may be in use, to the one
// beneath. From its beginning on writes go there too, so that it ends.
func (s *Store) drainTop(ctx context.Context, p *layerPair) error {
	b, err := s.use(p.top)
	if err != nil {
		return superseded(err)
	}
	err = b.drainAll(ctx, p)
	if err == nil {
		// While the volume is in use: opened anew it would write to the upper one.
		err = s.replaceLower(p)
	}
	return errors.Join(err, s.unuse(b))
}

func (b *blocks) drainAll(ctx context.Context, p *layerPair) error {
	// What is beneath must be durable before any map is flushed.
	if err := b.sync(); err != nil {
		return err
	}
	if err := b.startDrain(p); err != nil {
		return err
	}
	if err := b.drain(ctx, p); err != nil {
		return err
	}
	if !p.upperFiles.presence.empty() {
		return errSuperseded
	}
	return p.upperFiles.sync()
}

func (b *blocks) startDrain(p *layerPair) error {
	b.gate.Lock()
	defer b.gate.Unlock()
	c := b.chain.Load()
	if !c.ends(p) {
		return errSuperseded
	}
	if !c.draining {
		b.chain.Store(c.drain())
	}
	return nil
}

// ends: the pair is the chain's uppermost.
func (c *chain) ends(p *layerPair) bool {
	n := len(c.layers)
	return n > 1 && c.layers[n-1] == p.upperFiles && c.layers[n-2] == p.lowerFiles
}

func (b *blocks) drain(ctx context.Context, p *layerPair) error {
	pace := newPace()
	defer pace.stop()
	unsynced := int64(0)
	for _, page := range p.upperFiles.presence.listed() {
		for {
			n, err := b.drainSome(p, page)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			if err := pace.wait(ctx, n*blockSize); err != nil {
				return err
			}
			if unsynced += n * blockSize; unsynced >= syncEvery {
				if err := p.upperFiles.sync(); err != nil {
					return err
				}
				unsynced = 0
			}
		}
	}
	return nil
}

// drainSome moves a run of blocks; 0 = the page has none any more.
func (b *blocks) drainSome(p *layerPair, page int64) (int64, error) {
	b.gate.RLock()
	defer b.gate.RUnlock()
	c := b.chain.Load()
	if !c.ends(p) || !c.draining {
		return 0, errSuperseded
	}
	c.index.mu.Lock()
	defer c.index.mu.Unlock()
	bits := p.upperFiles.presence.page(page)
	if bits == nil {
		return 0, nil
	}
	first, n := bits.runFrom(0, copyBlocks)
	if n == 0 {
		return 0, nil
	}
	first += page * pageBlocks
	if err := copyRun(p.lowerFiles.file, p.upperFiles.file, first*blockSize, n*blockSize); err != nil {
		return 0, err
	}
	return n, c.claim(first, n)
}

// copyRun copies a range between files; what is a hole there becomes one here.
func copyRun(to, from file, off, n int64) error {
	buf := make([]byte, n)
	for n > 0 {
		run, data, err := from.extent(off, n)
		if err != nil {
			return err
		}
		if data {
			err = copyData(to, from, buf[:run], off)
		} else {
			err = to.punch(off, run)
		}
		if err != nil {
			return err
		}
		off, n = off+run, n-run
	}
	return nil
}

func copyData(to, from file, buf []byte, off int64) error {
	if _, err := from.ReadAt(buf, off); err != nil {
		return err
	}
	_, err := to.WriteAt(buf, off)
	return err
}

// copyDown copies the blocks of a frozen layer to the one beneath, where the
// upper one masks them.
func (p *layerPair) copyDown(ctx context.Context) error {
	pace := newPace()
	defer pace.stop()
	for _, page := range p.upperFiles.presence.listed() {
		bits := p.upperFiles.presence.page(page) // as it stays
		for first, n := bits.runFrom(0, copyBlocks); n > 0; first, n = bits.runFrom(first+n, copyBlocks) {
			if err := pace.wait(ctx, n*blockSize); err != nil {
				return err
			}
			at := page*pageBlocks + first
			if err := copyRun(p.lowerFiles.file, p.upperFiles.file, at*blockSize, n*blockSize); err != nil {
				return err
			}
			if err := p.lowerFiles.claim(at, n); err != nil {
				return err
			}
		}
	}
	return p.lowerFiles.sync()
}
