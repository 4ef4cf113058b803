package store

import (
	"errors"
	"fmt"
)

func (c *checker) readLayers() error {
	files := map[int64]int64{}
	each(c, c.Tx.layers(), func(l layerInfo) {
		c.layers[l.ID] = l
		c.report.Layers++
		if other, taken := files[l.File]; taken {
			c.problemf("layers %d and %d have the same file %d", other, l.ID, l.File)
		}
		files[l.File] = l.ID
	})
	return nil
}

func (c *checker) checkLayers() error {
	for id, l := range c.layers {
		if l.Size%blockSize != 0 || l.Overlap%blockSize != 0 || l.Overlap > l.Size {
			c.problemf("layer %d has %d bytes and shows %d of its parent", id, l.Size, l.Overlap)
		}
		if l.Parent == 0 {
			continue
		}
		c.uses[string(refKey(l.Parent, layerRef{refLayer, id}))] = true
		if parent, ok := c.layers[l.Parent]; !ok || l.Overlap > parent.Size {
			c.problemf("layer %d shows %d bytes of layer %d, which is not there or has %d", id, l.Overlap, l.Parent, parent.Size)
		}
	}
	for id := range c.volumes {
		chain, err := c.chainOf(id)
		if err != nil {
			c.problemf("%v", err)
		}
		c.report.LongestChain = max(c.report.LongestChain, len(chain))
	}
	return nil
}

// checkRefs holds the reference counts against what refers.
func (c *checker) checkRefs() error {
	have := map[string]bool{}
	c.entries(bucketLayerRefs, func(k, _ []byte) bool { have[string(k)] = true; return c.uses[string(k)] })
	for k := range c.uses {
		if !have[k] {
			c.problemf("layer %d: its use by %c %d is not counted", idOf([]byte(k)), k[8], idOf([]byte(k[9:])))
		}
	}
	for id := range c.layers {
		refs := c.refs(id, 2)
		if len(refs) == 0 {
			c.problemf("layer %d leaks: nothing shows it", id)
		}
		for _, r := range refs {
			if r.kind == refVolume && len(refs) > 1 {
				c.problemf("layer %d is written by volume %d and has another use", id, r.id)
			}
		}
	}
	return nil
}

func (c *checker) checkFiles() error {
	names, err := c.media.names()
	if err != nil {
		return err
	}
	byFile := map[int64]layerInfo{}
	for _, l := range c.layers {
		byFile[l.File] = l
		c.checkBlocks(l)
		if l.mapped() {
			c.checkMap(l)
		}
	}
	for _, name := range names {
		number, isMap, ours := layerOf(name)
		if l, ok := byFile[number]; ours && (!ok || isMap && !l.mapped()) {
			c.leftoverf("file %s is of no layer", name)
		}
	}
	return nil
}

func (c *checker) checkBlocks(l layerInfo) {
	size, allocated, err := statFile(c.media, blocksName(l.File))
	if err != nil {
		c.problemf("layer %d: %v", l.ID, err)
		return
	}
	c.report.AllocatedBytes += allocated
	if refs := c.refs(l.ID, 1); len(refs) == 1 && refs[0].kind != refVolume {
		c.report.FrozenBytes += allocated
	}
	if size < l.Size {
		c.problemf("layer %d of %d bytes: its file %d has %d", l.ID, l.Size, l.File, size)
	}
	if size > l.Size {
		c.leftoverf("layer %d of %d bytes: its file %d has %d", l.ID, l.Size, l.File, size)
	}
}

func (c *checker) checkMap(l layerInfo) {
	f, err := c.media.open(mapName(l.File))
	if err != nil {
		c.problemf("layer %d: %v", l.ID, err)
		return
	}
	blocks := l.Size / blockSize
	_, err = readHeader(f)
	if err == nil {
		err = eachMapPage(f, func(page int64, durable, volatile *bitPage) error {
			c.report.MappedBlocks += durable.count()
			for _, bits := range []*bitPage{durable, volatile} {
				if last := bits.last(); last >= 0 && page*pageBlocks+last >= blocks {
					return fmt.Errorf("block %d is present, of %d", page*pageBlocks+last, blocks)
				}
			}
			return nil
		})
	}
	if err := errors.Join(err, f.Close()); err != nil {
		c.problemf("map of layer %d: %v", l.ID, err)
	}
}
