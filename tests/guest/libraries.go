package guest

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// checkLibraries verifies that every library that an ELF file of the tree
// needs is in the tree: packages were left out by assumption, and a program
// that cannot start is better found here than in the guest.
func checkLibraries(root string) error {
	have, need := map[string]bool{}, map[string]string{}
	err := filepath.WalkDir(filepath.Join(root, "usr"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if strings.Contains(entry.Name(), ".so") {
			have[entry.Name()] = true
		}
		if !entry.Type().IsRegular() || strings.HasSuffix(entry.Name(), ".ko") {
			return nil
		}
		for _, library := range importedLibraries(path) {
			need[library] = strings.TrimPrefix(path, root)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var missing []string
	for _, library := range sortedKeys(need) {
		if !have[library] {
			missing = append(missing, fmt.Sprintf("%s (for %s)", library, need[library]))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the guest's root lacks libraries: %s", strings.Join(missing, ", "))
	}
	return nil
}

// importedLibraries is empty for what is no dynamic ELF file.
func importedLibraries(path string) []string {
	f, err := elf.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil {
		return nil
	}
	return libraries
}
