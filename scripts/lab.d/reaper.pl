#!/usr/bin/perl
# Runs a daemon and adopts what it leaves behind. A QEMU that ends is reaped at once; where the machine's process 1
# is slow to reap, libvirt would wait for the zombie as long as that takes (it polls with kill(pid, 0)).
use strict;
use warnings;

my ($prctl, $set_child_subreaper) = (157, 36);    # x86_64, linux/prctl.h
syscall($prctl, $set_child_subreaper, 1, 0, 0, 0) == 0 or die "Cannot become a subreaper: $!\n";

my $child = fork // die "Cannot fork: $!\n";
exec { $ARGV[0] } @ARGV or die "Cannot run $ARGV[0]: $!\n" if $child == 0;
1 while wait != -1;
