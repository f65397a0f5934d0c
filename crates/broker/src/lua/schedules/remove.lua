-- Forgets a schedule. What it handed in goes on.
call('HDEL', states, ARGV[1])
call('ZREM', dues, ARGV[1])
return call('HDEL', definitions, ARGV[1])
