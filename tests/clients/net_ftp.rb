# Ruby's Net::FTP: every verb of the matrix on one control connection.
#
#     ruby net_ftp.rb explicit|implicit 1.2|1.3 PORT USER PASSWORD
#
# It works in the current folder, prints the listing on stdout and what failed on stderr.
require 'net/ftp'

MODE, TLS, PORT, USER, PASSWORD = ARGV

def connected
  version = TLS == '1.2' ? OpenSSL::SSL::TLS1_2_VERSION : OpenSSL::SSL::TLS1_3_VERSION
  ssl = { verify_mode: OpenSSL::SSL::VERIFY_NONE, min_version: version, max_version: version }
  Net::FTP.new('127.0.0.1', port: PORT.to_i, ssl: ssl, implicit_ftps: MODE == 'implicit', passive: true,
                            private_data_connection: true, username: USER, password: PASSWORD, read_timeout: 60)
end

def resuming(ftp)
  ftp.resume = true
  yield
ensure
  ftp.resume = false
end

STEPS = {
  'list' => ->(ftp) { puts ftp.list },
  'upload' => ->(ftp) { ftp.putbinaryfile('up') },
  'download' => ->(ftp) { ftp.getbinaryfile('down') },
  'resume download' => ->(ftp) { resuming(ftp) { ftp.getbinaryfile('cut') } },
  'resume upload' => ->(ftp) { resuming(ftp) { ftp.putbinaryfile('half') } },
  'rename' => ->(ftp) { ftp.rename('old', 'new') },
  'delete' => ->(ftp) { ftp.delete('gone') }
}.freeze

ftp = connected
STEPS.each do |name, step|
  step.call(ftp)
rescue Net::FTPError, SystemCallError, IOError, OpenSSL::SSL::SSLError => e
  warn "#{name}: #{e.inspect}"
  ftp.close
  ftp = connected
end
ftp.quit
ftp.close
