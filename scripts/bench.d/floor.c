/* What libvirt alone takes: the bare bulk calls, with nothing done with the answer. Arguments: URI, "state" or "statistics". */
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    unsigned int groups = VIR_DOMAIN_STATS_STATE;
    if (strcmp(argv[2], "statistics") == 0) groups |= VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK;
    virConnectPtr connection = virConnectOpenReadOnly(argv[1]);
    if (!connection) return 1;
    virDomainStatsRecordPtr *records;
    int count = virConnectGetAllDomainStats(connection, groups, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    if (count < 0) return 1;
    printf("%d\n", count);
    virDomainStatsRecordListFree(records);
    virConnectClose(connection);
    return 0;
}
