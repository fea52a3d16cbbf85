package vfs

import "syscall"

// The last two are ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL; the first are what the
// other implementations report on every system.
var noSpaceErrors = [...]error{syscall.ENOSPC, syscall.EDQUOT, syscall.Errno(39), syscall.Errno(112)}
