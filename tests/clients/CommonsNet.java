// Java's commons-net: every verb of the matrix on one control connection.
//
//     java -cp commons-net.jar CommonsNet.java explicit|implicit 1.2|1.3|any PORT USER PASSWORD
//
// It works in the current folder, prints the listing on stdout and what failed on stderr.
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.File;
import org.apache.commons.net.ftp.FTP;
import org.apache.commons.net.ftp.FTPFile;
import org.apache.commons.net.ftp.FTPSClient;
import org.apache.commons.net.util.TrustManagerUtils;

class CommonsNet {
    interface Step {
        boolean run(FTPSClient ftp) throws IOException;
    }

    record Named(String name, Step step) {}

    private static FTPSClient connected(String[] with) throws IOException {
        FTPSClient ftp = new FTPSClient("TLS", with[0].equals("implicit"));
        ftp.setTrustManager(TrustManagerUtils.getAcceptAllTrustManager());
        if (!with[1].equals("any")) {
            ftp.setEnabledProtocols(new String[] {"TLSv" + with[1]});
        }
        ftp.setControlEncoding("UTF-8");
        ftp.setDefaultTimeout(60_000);
        ftp.connect("127.0.0.1", Integer.parseInt(with[2]));
        if (!ftp.login(with[3], with[4])) {
            throw new IOException("login: " + ftp.getReplyString());
        }
        ftp.execPBSZ(0);
        ftp.execPROT("P");
        ftp.enterLocalPassiveMode();
        ftp.setFileType(FTP.BINARY_FILE_TYPE);
        return ftp;
    }

    private static boolean list(FTPSClient ftp) throws IOException {
        for (FTPFile file : ftp.listFiles()) {
            System.out.println(file.getSize() + " " + file.getName());
        }
        return true;
    }

    private static boolean upload(FTPSClient ftp) throws IOException {
        try (FileInputStream file = new FileInputStream("up")) {
            return ftp.storeFile("up", file);
        }
    }

    private static boolean download(FTPSClient ftp) throws IOException {
        try (FileOutputStream file = new FileOutputStream("down")) {
            return ftp.retrieveFile("down", file);
        }
    }

    private static boolean resumeDownload(FTPSClient ftp) throws IOException {
        ftp.setRestartOffset(new File("cut").length());
        try (FileOutputStream file = new FileOutputStream("cut", true)) {
            return ftp.retrieveFile("cut", file);
        }
    }

    private static boolean resumeUpload(FTPSClient ftp) throws IOException {
        long there = Long.parseLong(ftp.getSize("half"));
        ftp.setRestartOffset(there);
        try (FileInputStream file = new FileInputStream("half")) {
            file.skipNBytes(there);
            return ftp.storeFile("half", file);
        }
    }

    public static void main(String[] with) throws IOException {
        Named[] steps = {
            new Named("list", CommonsNet::list),
            new Named("upload", CommonsNet::upload),
            new Named("download", CommonsNet::download),
            new Named("resume download", CommonsNet::resumeDownload),
            new Named("resume upload", CommonsNet::resumeUpload),
            new Named("rename", ftp -> ftp.rename("old", "new")),
            new Named("delete", ftp -> ftp.deleteFile("gone")),
        };
        FTPSClient ftp = connected(with);
        for (Named named : steps) {
            String why = null;
            try {
                if (!named.step().run(ftp)) {
                    why = ftp.getReplyString();
                }
            } catch (IOException | NumberFormatException | NullPointerException failed) {
                why = failed.toString();
            }
            if (why != null) {
                System.err.println(named.name() + ": " + why);
                ftp.disconnect();
                ftp = connected(with);
            }
        }
        ftp.logout();
        ftp.disconnect();
    }
}
