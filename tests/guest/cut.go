package guest

import "context"

// Cut loses every packet that the host's side would send from one of its
// addresses: what talks to it is heard and gets no answer, as behind a broken
// switch. Connections stay open at both ends until somebody gives them up.
func Cut(ctx context.Context, ip string) error {
	return run(command(ctx, "ip", "rule", "add", "from", ip, "blackhole"))
}

// Mend undoes [Cut].
func Mend(ctx context.Context, ip string) error {
	return run(command(ctx, "ip", "rule", "delete", "from", ip, "blackhole"))
}

// Cut is [Cut] of an address of the guest's.
func (vm *VM) Cut(ctx context.Context, ip string) error {
	_, err := vm.Run(ctx, "ip rule add from "+ip+" blackhole")
	return err
}

// Mend undoes [VM.Cut].
func (vm *VM) Mend(ctx context.Context, ip string) error {
	_, err := vm.Run(ctx, "ip rule delete from "+ip+" blackhole")
	return err
}
